"""The whole command line under watch: a hundred canary secrets of the stack file, every execve traced, all swept.

Not among the tests that run by default: `.venv/bin/pytest tests/secrets` (about three minutes, needs root, strace and a
Docker engine). What happens on a droplet is swept in `tests/emulator/test_secret_sweep.py`; here it is what happens on
the controller: up, list, check, outputs, status, verify, a failed step, a rollback, a rotation, refresh and destroy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from canarysweep import Hit, Sweep, canaries
from desk import Desk

from localcloud.engine.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "canary-free-passphrase-of-the-sweep"
PLACES = ("/tmp", "/var/tmp", "/run", "/dev/shm")  # noqa: S108 (they are what is searched)
CIDR = os.environ.get("GREENROOM_SWEEP_CIDR", "10.29.0.0/24")
pytestmark = [
    pytest.mark.docker,
    pytest.mark.droplet,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no Docker engine on this machine"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="no strace on this machine"),
]


class Controller:
    """A desk whose commands run under strace, and everything on this machine that a secret could have reached."""

    def __init__(self, desk: Desk, sweep: Sweep, trace: Path) -> None:
        self.desk, self.sweep, self.trace = desk, sweep, trace
        self.began = time.time()
        self.hits: list[Hit] = []
        self.environments: dict[str, bytes] = {}

    def greenroom(self, *argv: str, check: int | None = 0) -> str:
        """Run one verb traced; sweep what it said."""
        traced = ["strace", "-qq", "-f", "--seccomp-bpf", "-s", "1000000", "-e", "trace=execve"]
        traced += ["-A", "-o", str(self.trace), ".venv/bin/greenroom", *argv]
        done = self.desk.run(*traced, check=check, PULUMI_CONFIG_PASSPHRASE=PASSPHRASE, timeout_s=1800)
        said = done.stdout + done.stderr
        self.hits += self.sweep.look(f"output of {argv[0]} {argv[1]}", said.encode())
        return said

    def look_around(self) -> list[Hit]:
        """Sweep traces, environments, command lines, the desk, and what is new in temporary directories."""
        own = {os.getpid(), os.getppid()}
        processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) not in own]
        here = [entry for entry in processes if not _is_contained(entry)]
        new = (path for path in _files(PLACES, but=self.trace.parent.parent) if _is_new(path, self.began))
        found = [
            *self.hits,
            *self.sweep.look_at_files("execve trace", [self.trace]),
            *self.sweep.look_at_files("environ", [entry / "environ" for entry in here]),
            *self.sweep.look_at_files("cmdline", [entry / "cmdline" for entry in processes]),
            *self.sweep.look_at_files("desk", (path for path in self.desk.directory.rglob("*") if _is_own(path))),
            *self.sweep.look_at_files("temporary", new),
        ]
        self.hits = []
        return found


def _files(places: Iterable[str], *, but: Path) -> Iterator[Path]:
    """Walk directories that others write to at the same time: what goes away meanwhile is passed over."""
    for place in places:
        for directory, names, files in os.walk(place):
            if Path(directory) == but:
                names.clear()
                continue
            yield from (Path(directory, name) for name in files)


def _is_contained(entry: Path) -> bool:
    """Whether a process is in a container, where its environment is its own."""
    try:
        return "/docker" in (entry / "cgroup").read_text(encoding="utf-8")
    except OSError:
        return True


def _is_new(path: Path, since: float) -> bool:
    try:
        return path.is_file() and not path.is_symlink() and path.stat().st_ctime >= since
    except OSError:
        return False


def _is_own(path: Path) -> bool:
    return path.is_file() and ".venv" not in path.parts


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    place = tmp_path_factory.mktemp("fullsweep")
    desk = Desk(place / "desk")
    (desk.directory / ".venv").symlink_to(ROOT / ".venv")
    sweep = Sweep(canaries(100, seed=99))
    path = desk.directory / "Pulumi.local.yaml"
    declared = "".join(f"    {name}: {{source: config}}\n" for name in sweep.secrets)
    text = path.read_text(encoding="utf-8").replace("10.20.0.0/24", CIDR)
    path.write_text(text.replace("  greenroom:secrets:\n", f"  greenroom:secrets:\n{declared}"), encoding="utf-8")
    stack = Stack(desk.directory, "local", desk.home, PASSPHRASE)
    keys = stack.keys(None)
    for name, value in sweep.secrets.items():
        stack.file.set_secret(name, value, keys.ours)
    watched = Controller(desk, sweep, place / "trace" / "execve")
    watched.trace.parent.mkdir()
    # A tracer stays until the last of its processes ends: what outlives a verb is started before any is traced.
    desk.greenroom("cloud", "start")
    try:
        yield watched
    finally:
        desk.greenroom("destroy", "--yes", check=None, PULUMI_CONFIG_PASSPHRASE=PASSPHRASE)
        desk.greenroom("cloud", "reset", "--yes", check=None)


@pytest.fixture(scope="module")
def life(controller: Controller) -> dict[str, list[Hit]]:
    """Lead a stack through its whole life, and return what was found after each part of it.

    Whatever is planted afterwards is in no part of it: tests run in any order.
    """
    desk, run = controller.desk, controller.greenroom
    found: dict[str, list[Hit]] = {}
    run("up", "-s", "local")
    found["deployed"] = controller.look_around()

    for verb in (["outputs", "--json"], ["status", "--json"], ["secrets", "list"], ["secrets", "check", "--json"]):
        run(*verb, "-s", "local")
    run("verify", "-s", "local", "--json")
    run("preview", "-s", "local", "--json")
    found["looked at"] = controller.look_around()

    dockerfile = desk.directory / "examples/tsh-erp/Dockerfile"
    whole = dockerfile.read_text(encoding="utf-8")
    dockerfile.write_text(whole + "RUN false\n", encoding="utf-8")
    run("up", "-s", "local", check=4)
    found["failed"] = controller.look_around()

    dockerfile.write_text(whole, encoding="utf-8")
    run("secrets", "rotate", "POSTGRES_PASSWORD", "-s", "local")
    run("up", "-s", "local")
    run("refresh", "-s", "local", "--json")
    found["rotated"] = controller.look_around()

    run("destroy", "-s", "local", "--yes")
    found["destroyed"] = controller.look_around()
    return found


def test_no_canary_leaves_its_place_through_a_stack_s_whole_life(
    controller: Controller, life: dict[str, list[Hit]]
) -> None:
    assert life == {part: [] for part in ("deployed", "looked at", "failed", "rotated", "destroyed")}
    assert controller.trace.read_text(errors="replace").count("execve(") > 50


PLANTED = {
    "state": ".pulumi/stacks/greenroom/local.json.planted",
    "history": ".pulumi/history/greenroom/local/planted.json",
    "API log": "cloud/server.log",
    "evidence": "local/planted.log",
    "configuration": "../Pulumi.planted.yaml",
}


@pytest.mark.usefixtures("life")
def test_the_sweep_of_the_controller_finds_what_is_planted(controller: Controller) -> None:
    desk, values = controller.desk, list(controller.sweep.secrets.items())
    expected: set[tuple[str, str]] = set()
    for (kind, name), (canary, value) in zip(PLANTED.items(), values, strict=False):
        path = desk.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{kind} {value[::-1]}\n")
        expected.add(("desk", canary))
    (in_argv, argued), (in_environ, inherited), (in_temporary, kept), (in_output, said) = values[10:14]
    temporary = Path("/var/tmp/greenroom-planted-leak")  # noqa: S108 (one of the places that are searched)
    temporary.write_text(kept, encoding="utf-8")
    strace = ["strace", "-f", "-A", "-s", "1000000", "-e", "trace=execve", "-o", str(controller.trace)]
    subprocess.run([*strace, "true", argued], check=True)
    process = subprocess.Popen(["sleep", "60"], env={"LEAK": inherited})
    try:
        controller.hits += controller.sweep.look("output", f"error: {said}".encode())
        found = {(hit.place.split(":")[0], hit.canary) for hit in controller.look_around()}
    finally:
        process.kill()
        process.wait()
        temporary.unlink()
    planted = {("execve trace", in_argv), ("environ", in_environ), ("temporary", in_temporary), ("output", in_output)}
    assert found == expected | planted
    assert controller.sweep.bytes_seen > 10_000_000
