"""The server process: `python -m localcloud.digitalocean --home DIRECTORY`. Runs until it is told to stop."""

from __future__ import annotations

__all__ = ["main"]

import argparse
import fcntl
import json
import logging
import os
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.digitalocean.catalogue import Catalogue
from localcloud.digitalocean.claims import claim
from localcloud.digitalocean.control import ControlPlane
from localcloud.digitalocean.limits import RateLimiter
from localcloud.digitalocean.server import CloudServer, Ports, Sockets
from localcloud.digitalocean.store import Store
from localcloud.processes import ProcessIdentity

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import FrameType

    from starlette.types import ASGIApp

    from localcloud.digitalocean.control import ImageSource
    from localcloud.digitalocean.machine_host import MachineHost

DEFAULT = Ports()
LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.digitalocean", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="directory whose cloud/ holds the state")
    parser.add_argument("--http-port", type=int, default=DEFAULT.http)
    parser.add_argument("--https-port", type=int, default=DEFAULT.https)
    parser.add_argument("--git-port", type=int, default=DEFAULT.git)
    parser.add_argument("--machines", choices=("docker", "none"), default="docker", help="none: droplets do not boot")
    parser.add_argument("--rate-limit", choices=("on", "off"), default="on", help="enforce the documented limits")
    return parser.parse_args(argv)


def record(path: Path, server: CloudServer) -> None:
    """Write where the server answers and which process it is, for others to find; the file appears whole."""
    identity = ProcessIdentity.of(os.getpid())
    if identity is None:
        raise RuntimeError("this process is not in /proc")
    content = {
        "pid": identity.pid,
        "started_ticks": identity.started_ticks,
        **server.urls,
        "ca": str(server.certificates.authority),
    }
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; droplets are left running."""
    asked = arguments(argv)
    asked.home = asked.home.resolve()
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    directory: Path = asked.home / "cloud"
    directory.mkdir(parents=True, exist_ok=True)
    os.chdir(directory)
    told_to_stop = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        told_to_stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with only_one(directory / "server.lock"):
        server = build(asked)
        server.start()
        record(directory / "cloud.json", server)
        told_to_stop.wait()
        logging.getLogger("greenroom.cloud").info("stopping")
        server.stop()


def build(asked: argparse.Namespace) -> CloudServer:
    """Put the server of a home together."""
    directory: Path = asked.home / "cloud"
    sockets = Sockets(Ports(asked.http_port, asked.https_port, asked.git_port))
    hardware = real(asked.home, sockets) if asked.machines == "docker" else pretended()
    cloud = ControlPlane(
        store=Store(directory / "state.sqlite"),
        machines=hardware.machines,
        catalogue=Catalogue.load(),
        images=hardware.images,
        clock=time.time,
        block=hardware.block,
    )
    limiter = RateLimiter(time.time, enforce=asked.rate_limit == "on")
    return CloudServer(cloud, limiter, sockets=sockets, directory=directory, git=hardware.git)


@dataclass(frozen=True)
class Hardware:
    """What a cloud stands on."""

    machines: MachineHost
    images: ImageSource
    block: int = 0
    git: ASGIApp | None = None


def real(home: Path, sockets: Sockets) -> Hardware:
    """Return machines that boot on the Docker engine, and the git repositories that they clone."""
    from localcloud.digitalocean.machinery import bootable, machines_of  # noqa: PLC0415 - loads the Docker client
    from localcloud.hosting.git import application  # noqa: PLC0415 - the same

    machines = machines_of(home, git_port=sockets.git_port)
    machines.watch()
    return Hardware(machines, bootable, claim(home), application(home / "cloud" / "git"))


def pretended() -> Hardware:
    """Return machines that are only written down, for trying the API where there is no Docker."""
    from localcloud.digitalocean.testing import RecordingMachines, recorded_image  # noqa: PLC0415 - not the usual case

    return Hardware(RecordingMachines(), recorded_image)


@contextmanager
def only_one(path: Path) -> Generator[None]:
    """Hold a home for this process; leave at once when another server has it."""
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another server holds {path}") from None
        yield


if __name__ == "__main__":
    main()
