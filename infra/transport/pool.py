"""One connection per host and process, shared by every resource; a host that just failed is not asked again at once.

A refusal is remembered too, of a host key or of a login: every further try would be counted against us by sshd, which
soon drops whatever comes from our address (PerSourcePenalties).
"""

from __future__ import annotations

__all__ = ["Pool", "close_all", "link", "pool"]

import random
import threading
import time
from typing import TYPE_CHECKING

from infra.errors import AuthenticationError, GreenroomError, UnreachableError

if TYPE_CHECKING:
    from infra.transport.endpoint import Endpoint
    from infra.transport.link import Link

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 2.0
RETRIED_TIMEOUT_S = 5.0
"""A try that is followed by others waits less long: what was lost on the way when the host came back is sent anew."""
REMEMBER_FAILURE_S = 60.0


class Pool:
    """Links by endpoint. Thread-safe; opening one host never holds up another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._doors: dict[Endpoint, threading.Lock] = {}
        self._links: dict[Endpoint, Link] = {}
        self._failures: dict[Endpoint, tuple[float, GreenroomError]] = {}

    def link(self, endpoint: Endpoint, *, patience_s: float = 0.0) -> Link:
        """Return the open link, opening it where needed; a host that is still booting is waited for `patience_s`.

        UnreachableError when the host does not answer in time; AuthenticationError at once when a key is refused.
        """
        from infra.transport.link import WHOLE_CONNECT_S, unreachable  # noqa: PLC0415 (loads fabric)

        with self._lock:
            door = self._doors.setdefault(endpoint, threading.Lock())
        deadline = time.monotonic() + patience_s
        if not door.acquire(timeout=patience_s + WHOLE_CONNECT_S):
            raise unreachable(endpoint, "connect", "connect", TimeoutError("others still try to connect"))
        try:
            known = self._links.get(endpoint)
            if known is not None and known.alive:
                return known
            self._recall(endpoint, AuthenticationError if patience_s else GreenroomError)
            opened = self._open(endpoint, deadline)
            with self._lock:
                self._links[endpoint] = opened
            if known is not None:
                known.close()
            return opened
        finally:
            door.release()

    def close(self) -> None:
        """Close every link."""
        with self._lock:
            links, self._links, self._failures = list(self._links.values()), {}, {}
        for each in links:
            each.close()

    def forget(self, endpoint: Endpoint) -> None:
        """Close the link to one host, if there is one, and forget what failed at its address."""
        with self._lock:
            known = self._links.pop(endpoint, None)
            at = (endpoint.host, endpoint.port)
            self._failures = {each: why for each, why in self._failures.items() if (each.host, each.port) != at}
        if known is not None:
            known.close()

    def _recall(self, endpoint: Endpoint, kind: type[GreenroomError]) -> None:
        at, failure = self._failures.get(endpoint, (0.0, None))
        if isinstance(failure, kind) and time.monotonic() - at < REMEMBER_FAILURE_S:
            raise failure

    def _open(self, endpoint: Endpoint, deadline: float) -> Link:
        from infra.transport.link import CONNECT_TIMEOUT_S, Link  # noqa: PLC0415 (loads fabric)

        started = time.monotonic()
        timeout_s = RETRIED_TIMEOUT_S if deadline > started else CONNECT_TIMEOUT_S
        while True:
            try:
                return Link(endpoint, connect_timeout_s=timeout_s)
            except (UnreachableError, AuthenticationError) as error:
                now = time.monotonic()
                if now >= deadline or isinstance(error, AuthenticationError):
                    with self._lock:
                        self._failures[endpoint] = (now, error)
                    raise
            pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, (now - started) / 10))
            spread = random.uniform(0.8, 1.2)  # noqa: S311 (so that many do not knock in step)
            time.sleep(min(pause_s * spread, max(0.0, deadline - now)))


pool = Pool()


def link(endpoint: Endpoint, *, patience_s: float = 0.0) -> Link:
    """Return the process's link to a host; see `Pool.link`."""
    return pool.link(endpoint, patience_s=patience_s)


def close_all() -> None:
    """Close every link of this process."""
    pool.close()
