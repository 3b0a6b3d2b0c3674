"""The whole local cloud in a directory of its own, and a client that waits for what takes time there."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import docker
import httpx
import pytest

from localcloud import cloud
from localcloud.digitalocean.machinery import home_label
from localcloud.machines import MachineError, images
from localcloud.machines.engine import ensure_docker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

ACTIVE_S = 30
SERVING_S = 90


@contextlib.contextmanager
def live_home(directory: Path) -> Generator[Path]:
    """Yield a cloud's home; what is made there is gone afterwards. Skips where no droplet can boot."""
    try:
        ensure_docker(print)
        absent = images.missing()
    except MachineError as error:
        pytest.skip(f"needs a Docker engine: {error}")
    if absent:
        pytest.skip(f"needs the local cloud's images: {', '.join(image.reference for image in absent)}")
    yield directory
    cloud.reset(directory)
    engine = docker.from_env()
    owned: dict[str, str | list[str] | bool] = {"label": f"greenroom.cloud={home_label(directory)}"}
    assert engine.containers.list(all=True, filters=owned) == []
    assert engine.volumes.list(filters=owned) == []
    assert engine.networks.list(filters=owned) == []
    engine.close()


class Live:
    """A client that waits for what takes time."""

    def __init__(self, home: Path) -> None:
        self.info = cloud.start(home, lambda _: None)

    def ask(self, method: str, path: str, **body: Any) -> Any:
        url, headers = f"{self.info.http}{path}", {"authorization": "Bearer x"}
        response = httpx.request(method, url, json=body or None, headers=headers, timeout=120, trust_env=False)
        assert response.is_success, response.text
        return response.json() if response.content else None

    def droplet(self, number: int) -> Any:
        return wait_for(
            lambda: self.ask("GET", f"/v2/droplets/{number}")["droplet"], ACTIVE_S, lambda d: not d["locked"]
        )

    def act(self, number: int, kind: str) -> None:
        action = self.ask("POST", f"/v2/droplets/{number}/actions", type=kind)["action"]
        done = wait_for(
            lambda: self.ask("GET", f"/v2/actions/{action['id']}")["action"],
            SERVING_S,
            lambda item: item["status"] != "in-progress",
        )
        assert done["status"] == "completed", done


def wait_for(look: Callable[[], Any], patience_s: float, good: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + patience_s
    while not good(seen := look()):
        assert time.monotonic() < deadline, f"still {seen}"
        time.sleep(0.1)
    return seen
