"""One connection per host and process, shared by every resource; a host that just failed is not asked again at once."""

from __future__ import annotations

__all__ = ["Pool", "close_all", "link", "pool"]

import threading
import time
from typing import TYPE_CHECKING

from infra.errors import UnreachableError

if TYPE_CHECKING:
    from infra.transport.endpoint import Endpoint
    from infra.transport.link import Link

RETRY_PAUSE_S = 0.25
REMEMBER_FAILURE_S = 60.0


class Pool:
    """Links by endpoint. Thread-safe; opening one host never holds up another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._doors: dict[Endpoint, threading.Lock] = {}
        self._links: dict[Endpoint, Link] = {}
        self._failures: dict[Endpoint, tuple[float, UnreachableError]] = {}

    def link(self, endpoint: Endpoint, *, patience_s: float = 0.0) -> Link:
        """Return the open link, opening it where needed; a host that is still booting is waited for `patience_s`.

        UnreachableError when the host does not answer in time; AuthenticationError at once when a key is refused.
        """
        with self._lock:
            door = self._doors.setdefault(endpoint, threading.Lock())
        with door:
            known = self._links.get(endpoint)
            if known is not None and known.alive:
                return known
            if not patience_s:
                self._recall(endpoint)
            opened = self._open(endpoint, time.monotonic() + patience_s)
            self._links[endpoint] = opened
            return opened

    def close(self) -> None:
        """Close every link."""
        with self._lock:
            links, self._links, self._failures = list(self._links.values()), {}, {}
        for each in links:
            each.close()

    def forget(self, endpoint: Endpoint) -> None:
        """Close the link to one host, if there is one."""
        with self._lock:
            known = self._links.pop(endpoint, None)
        if known is not None:
            known.close()

    def _recall(self, endpoint: Endpoint) -> None:
        at, failure = self._failures.get(endpoint, (0.0, None))
        if failure is not None and time.monotonic() - at < REMEMBER_FAILURE_S:
            raise failure

    def _open(self, endpoint: Endpoint, deadline: float) -> Link:
        from infra.transport.link import Link  # noqa: PLC0415 (loads fabric)

        while True:
            try:
                return Link(endpoint)
            except UnreachableError as error:
                if time.monotonic() >= deadline:
                    self._failures[endpoint] = (time.monotonic(), error)
                    raise
            time.sleep(RETRY_PAUSE_S)


pool = Pool()


def link(endpoint: Endpoint, *, patience_s: float = 0.0) -> Link:
    """Return the process's link to a host; see `Pool.link`."""
    return pool.link(endpoint, patience_s=patience_s)


def close_all() -> None:
    """Close every link of this process."""
    pool.close()
