"""When a request that failed is sent again, and when not: the one place in which the API's passing faults are retried.

Three tries at most, with pauses drawn evenly from nothing up to a ceiling that grows ("full jitter", see "Exponential
Backoff And Jitter" in the AWS Architecture Blog), so that many clients that failed together don't come back together.
The ceiling goes by the class of the fault. An API that names a time (Retry-After) is not asked before it; the jitter
is added, as it told all of us the same.

While nothing at all is answered well, retries only feed the outage: then ten of them, or one for every ten requests,
are the most that all operations of this process send together.
"""

from __future__ import annotations

__all__ = ["TRIES", "Backoff", "Fault", "Outage"]

import random
import threading
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES = 3
RESERVE = 10
SHARE = 0.1


class Fault(Enum):
    """Why a request may be sent again: (first ceiling in units of the shortest wait, growth with each try)."""

    UNREACHED = (1.0, 2.0)
    """It was never sent: no connection."""
    BROKEN = (4.0, 4.0)
    """The server failed, or its answer was lost."""
    LIMITED = (10.0, 4.0)
    """Too many requests: limits are counted by the minute."""


def _evenly(ceiling: float) -> float:
    return random.uniform(0.0, ceiling)  # noqa: S311 - a pause is no secret


@dataclass(frozen=True)
class Backoff:
    """The pauses of one client."""

    shortest_s: float
    longest_s: float
    draw: Callable[[float], float] = _evenly
    """Gives a number from 0 to its argument."""

    def pause_s(self, fault: Fault, attempt: int, retry_after_s: float | None = None) -> float:
        """Return how long to wait after the failed try number `attempt`, counted from 0."""
        first, growth = fault.value
        ceiling = min(self.longest_s, self.shortest_s * first * growth**attempt)
        return (retry_after_s or 0.0) + self.draw(ceiling)


class Outage:
    """What has been sent since something was last answered well; shared by all operations. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = self._retries = 0

    def asked(self) -> None:
        """Count a request on its first try."""
        with self._lock:
            self._requests += 1

    def over(self) -> None:
        """Note an answer that is none of the passing faults."""
        with self._lock:
            self._requests = self._retries = 0

    def may_retry(self) -> bool:
        """Say whether one more retry may be sent, and count it."""
        with self._lock:
            if self._retries >= max(RESERVE, int(SHARE * self._requests)):
                return False
            self._retries += 1
            return True
