"""Rate limits: sliding windows per token, as documented, over a clock that is passed in."""

from __future__ import annotations

__all__ = ["Limit", "RateLimiter", "Verdict"]

import math
import threading
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR_S = 3600


@dataclass(frozen=True)
class Limit:
    """At most `count` requests in any `seconds`; with a method and prefix, of that kind only."""

    count: int
    seconds: int
    method: str = ""
    prefix: str = ""

    def covers(self, method: str, path: str) -> bool:
        """Whether a request counts against this limit."""
        return (not self.method or method == self.method) and path.startswith(self.prefix)


HOURLY = Limit(5000, HOUR_S)
BURSTS = (
    Limit(250, 60),
    Limit(10, 60, "GET", "/v2/account/keys?"),
    Limit(5, 10, "", "/v2/cdn/endpoints"),
)


@dataclass(frozen=True)
class Verdict:
    """What a request is told: the three headers, and how long to wait when it is refused."""

    limit: int
    remaining: int
    reset: int
    retry_after_s: int | None = None
    refused: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """The response headers."""
        headers = {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(self.remaining),
            "ratelimit-reset": str(self.reset),
        }
        if self.retry_after_s is not None:
            headers["retry-after"] = str(self.retry_after_s)
        return headers


class RateLimiter:
    """Counts requests per token; refused ones do not count."""

    def __init__(self, clock: Callable[[], float], *, enforce: bool = True) -> None:
        self._clock = clock
        self._enforce = enforce
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, Limit], deque[float]] = defaultdict(deque)

    def admit(self, token: str, method: str, path: str) -> Verdict:
        """Decide about one request and count it when it is let through."""
        # The list of keys has a limit that single keys do not share: the collection is marked by a question mark.
        subject = path + "?"
        with self._lock:
            now = self._clock()
            windows = [
                (limit, self._window(token, limit, now)) for limit in (HOURLY, *BURSTS) if limit.covers(method, subject)
            ]
            if self._enforce:
                for limit, seen in windows:
                    if len(seen) >= limit.count:
                        return self._refusal(limit, seen, now)
            for _, seen in windows:
                seen.append(now)
            hourly = windows[0][1]
            remaining = max(HOURLY.count - len(hourly), 0)
            return Verdict(HOURLY.count, remaining, math.ceil(hourly[0] + HOUR_S))

    def _window(self, token: str, limit: Limit, now: float) -> deque[float]:
        seen = self._seen[(token, limit)]
        while seen and seen[0] <= now - limit.seconds:
            seen.popleft()
        return seen

    @staticmethod
    def _refusal(limit: Limit, seen: deque[float], now: float) -> Verdict:
        free_at = seen[0] + limit.seconds
        wait = None if limit is HOURLY else max(math.ceil(free_at - now), 1)
        return Verdict(limit.count, 0, math.ceil(free_at), wait, refused=True)
