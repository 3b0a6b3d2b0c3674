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
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.digitalocean.catalogue import Catalogue
from localcloud.digitalocean.control import ControlPlane
from localcloud.digitalocean.limits import RateLimiter
from localcloud.digitalocean.machinery import bootable, machines_of
from localcloud.digitalocean.server import CloudServer, Ports, Sockets
from localcloud.digitalocean.store import Store
from localcloud.hosting.git import application
from localcloud.processes import ProcessIdentity

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import FrameType

DEFAULT = Ports()
LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.digitalocean", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="directory whose cloud/ holds the state")
    parser.add_argument("--http-port", type=int, default=DEFAULT.http)
    parser.add_argument("--https-port", type=int, default=DEFAULT.https)
    parser.add_argument("--git-port", type=int, default=DEFAULT.git)
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
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    directory: Path = asked.home / "cloud"
    directory.mkdir(parents=True, exist_ok=True)
    told_to_stop = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        told_to_stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with only_one(directory / "server.lock"):
        server = build(asked.home, Ports(asked.http_port, asked.https_port, asked.git_port), limits=asked.rate_limit)
        server.start()
        record(directory / "cloud.json", server)
        told_to_stop.wait()
        logging.getLogger("greenroom.cloud").info("stopping")
        server.stop()


def build(home: Path, ports: Ports, *, limits: str) -> CloudServer:
    """Put the server of a home together, with its real machines."""
    directory = home / "cloud"
    sockets = Sockets(ports)
    cloud = ControlPlane(
        store=Store(directory / "state.sqlite"),
        machines=machines_of(home, git_port=sockets.git_port),
        catalogue=Catalogue.load(),
        images=bootable,
        clock=time.time,
    )
    return CloudServer(
        cloud,
        RateLimiter(time.time, enforce=limits == "on"),
        sockets=sockets,
        directory=directory,
        git=application(directory / "git"),
    )


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
