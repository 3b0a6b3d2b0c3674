"""The cloud's image registry: droplets pull official names from it, as a mirror.

Debian's docker-registry runs in a container on loopback; droplets reach it at their gateway. Layers are stored as they
are, uncompressed: packing them would cost more than carrying them over a bridge, on both ends.
"""

from __future__ import annotations

__all__ = ["Registry"]

import logging
import socket
import threading
import time
from typing import TYPE_CHECKING

import docker.errors
import requests

from localcloud.hosting.upload import Uploader
from localcloud.machines.engine import client
from localcloud.machines.images import SERVED
from localcloud.machines.spec import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.machines.names import Names

IMAGE = "greenroom/registry:2"
DATA = "greenroom-registry"
"""The volume of stored layers: a cache that all clouds on this machine share."""
PORT_LABEL = "greenroom.port"
READY_S = 20.0

log = logging.getLogger("greenroom.machines")


class Registry:
    """One cloud's registry."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._lock = threading.Lock()
        self._port = 0

    def ensure(self, say: Callable[[str], None] = log.info) -> int:
        """Return the loopback port of the running registry, holding every image that droplets pull."""
        with self._lock:
            if not self._port or not _answers(self._port):
                self._port = self._run()
                self._fill(self._port, say)
            return self._port

    def _run(self) -> int:
        name = self._names.registry
        try:
            found = client().api.inspect_container(name)
        except docker.errors.NotFound:
            port = self._make(name)
        else:
            port = int(found["Config"]["Labels"][PORT_LABEL])
        client().api.start(name)
        deadline = time.monotonic() + READY_S
        while not _answers(port):
            if time.monotonic() > deadline:
                raise MachineError(f"The image registry does not answer.\n  next: docker logs {name}")
            time.sleep(0.05)
        return port

    def _make(self, name: str) -> int:
        port = _free_port()
        client().api.create_container(
            IMAGE,
            name=name,
            labels=self._names.labels("registry") | {PORT_LABEL: str(port)},
            environment={"REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}"},
            host_config=client().api.create_host_config(
                network_mode="host", binds=[f"{DATA}:/var/lib/registry"], restart_policy={"Name": "unless-stopped"}
            ),
        )
        return port

    def _fill(self, port: int, say: Callable[[str], None]) -> None:
        uploader = Uploader(f"http://127.0.0.1:{port}")
        for official, reference in SERVED.items():
            started = time.monotonic()
            if uploader.ensure(reference, official):
                say(f"registry: stored {official} in {time.monotonic() - started:.1f} s")


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/v2/", timeout=2).ok
    except requests.exceptions.RequestException:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
