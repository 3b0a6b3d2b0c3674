"""The machine's Docker engine: who may stop it, and what is said when it can't be had."""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import asdict
from typing import TYPE_CHECKING

import docker.errors
import pytest

from localcloud import cloud
from localcloud.machines import MachineError, engine
from localcloud.processes import ProcessIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Said(list[str]):
    """What was said."""

    def __call__(self, text: str) -> None:
        self.append(text)


class OtherEngine:
    """An engine that answers, with these containers."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.api = self

    def ping(self) -> bool:
        return True

    def containers(self, **_: object) -> list[dict[str, list[str]]]:
        return [{"Names": [f"/{name}"]} for name in self.names]

    def close(self) -> None:
        pass


class AbsentEngine(OtherEngine):
    """One that does not answer."""

    def ping(self) -> bool:
        raise docker.errors.DockerException("connection refused")


def as_client(found: OtherEngine) -> Callable[[], OtherEngine]:
    def client() -> OtherEngine:
        return found

    client.cache_clear = lambda: None  # type: ignore[attr-defined]
    return client


@pytest.fixture(autouse=True)
def _somebody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'docker.sock'}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "docker.sock"))
        listener.listen()
        yield


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for an engine started by `ensure_docker`."""
    monkeypatch.setattr(engine, "_STATE", tmp_path)
    process = subprocess.Popen(["sleep", "600"])
    (tmp_path / engine.RECORD).write_text(json.dumps(asdict(ProcessIdentity.of(process.pid) or ProcessIdentity(0, 0))))
    yield process
    process.kill()
    process.wait()


def test_an_engine_that_nobody_uses_any_more_is_stopped(
    started: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "client", as_client(OtherEngine()))
    engine.release_docker(Said())
    assert ProcessIdentity.of(started.pid) is None
    assert not (tmp_path / engine.RECORD).exists()


def test_an_engine_with_a_container_of_anybody_is_left_alone(
    started: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "client", as_client(OtherEngine("theirs")))
    said = Said()
    engine.release_docker(said)
    assert started.poll() is None
    assert said == ["docker: leaving the engine running for theirs"]


def test_an_engine_that_was_not_started_here_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_STATE", tmp_path)
    monkeypatch.setattr(engine, "client", as_client(OtherEngine()))
    said = Said()
    engine.release_docker(said)
    (tmp_path / engine.RECORD).write_text(json.dumps({"pid": 1, "started_ticks": 1}))
    engine.release_docker(said)
    assert said == []
    assert not (tmp_path / engine.RECORD).exists()


def test_a_machine_without_an_engine_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "client", as_client(AbsentEngine()))
    monkeypatch.setattr(engine.shutil, "which", lambda _: None)
    with pytest.raises(MachineError, match=r"next: sudo apt-get install -y docker\.io"):
        engine.ensure_docker(Said())


def test_a_droplet_never_holds_the_machines_kernel_modules_or_clock() -> None:
    assert "SYS_ADMIN" in engine.capabilities()
    assert not {"SYS_MODULE", "SYS_TIME"} & set(engine.capabilities())


def test_a_cloud_that_outlived_its_engine_starts_it_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    woken: list[str] = []
    monkeypatch.setattr(engine, "ensure_docker", lambda _say: woken.append("engine"))
    cloud.wake_engine(Said())
    assert woken == []
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'nobody.sock'}")
    cloud.wake_engine(Said())
    assert woken == ["engine"]
