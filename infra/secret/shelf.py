"""Secrets that lie together are fetched together: one call a place, however many names and threads ask for it."""

from __future__ import annotations

__all__ = ["Bundle", "Refusal", "Shelf"]

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from infra.secret.sources import Reason


@dataclass(frozen=True)
class Bundle:
    """What lies at one place: texts by key, and when they were written, where that is known."""

    texts: Mapping[str, Any] = field(repr=False)
    changed: datetime | None


class Refusal(Exception):  # noqa: N818 (becomes a SecretError for each name that asked)
    """A place did not answer with its secrets: a stable code, words, and what to type next."""

    def __init__(self, reason: Reason, why: str, hint: str) -> None:
        super().__init__(why)
        self.reason: Reason = reason
        self.why, self.hint = why, hint


class Shelf:
    """Remembers what each place gave, refusals too: a place that does not answer is waited for once."""

    def __init__(self, fetch: Callable[[str], Bundle]) -> None:
        self._fetch = fetch
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._outcomes: dict[str, Bundle | Refusal] = {}

    def get(self, place: str) -> Bundle:
        """Return the place's bundle; raises the Refusal that it gave."""
        with self._guard:
            lock = self._locks.setdefault(place, threading.Lock())
        with lock:
            if place not in self._outcomes:
                try:
                    self._outcomes[place] = self._fetch(place)
                except Refusal as refusal:
                    self._outcomes[place] = refusal
        outcome = self._outcomes[place]
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome
