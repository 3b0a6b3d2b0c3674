"""The far end of a real SSH connection to this machine, and acts there whose effects can be counted."""

from __future__ import annotations

__all__ = ["eventually", "far_end", "once", "once_there"]

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from infra.host.keys import new_key_pair
from infra.transport.pool import close_all
from infra.transport.testing import ssh_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.transport import Endpoint
    from infra.transport.testing import SshServer

HOST = new_key_pair()
LOGIN = new_key_pair()


@contextlib.contextmanager
def far_end() -> Iterator[tuple[SshServer, Endpoint]]:
    """Serve SSH, and leave no connection to it in the pool."""
    with ssh_server(host_key=HOST, login=LOGIN) as running:
        yield running
        close_all()


def once(log: Path, *, seconds: float = 0.0, **options: Any) -> dict[str, Any]:
    """Return an act whose effects can be counted: a line each time."""
    return {"do": "run", "argv": ["sh", "-c", f"echo begin >>{log}; sleep {seconds}; echo end >>{log}"], **options}


def eventually(holds: Any, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(holds())


def once_there(path: Path, act: Any) -> None:
    """Do something as soon as a file is there: while the job runs that makes it."""

    def wait() -> None:
        assert eventually(path.exists)
        time.sleep(0.2)  # by then the host has told that the job has begun
        act()

    threading.Thread(target=wait).start()
