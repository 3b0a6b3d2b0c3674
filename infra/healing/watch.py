"""Watching a stack: a look every few seconds, a line a change, and what breaks is handed to the healer.

Looks are taken on a thread of their own, so that whatever a network does, a signal ends the watch within a second. A
look that shows something soft is repeated soon: what is real is known in a few seconds, and what is not costs one line
in the log. Everything that touches the world is in `Sight`, which is handed in.
"""

from __future__ import annotations

__all__ = ["Logbook", "Sight", "Watch", "failure_of"]

import queue
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from infra.errors import GreenroomError
from infra.healing.detector import Detector, Look
from infra.healing.model import STAGES, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.healing.detector import Alarm

INTERVAL_S = 5.0
SUSPICION_S = 1.0
"""How soon a look is repeated that left something open."""
LINE_LIMIT = 300
LINES_A_MINUTE = 20
BELIEVABLE = timedelta(minutes=15)
"""A beginning that lies further back is not this fault's: a container may have been stopped long before."""


class Sight(Protocol):
    """What a watch sees the stack with."""

    def services(self) -> tuple[str, ...]:
        """Name the services that there should be, from the state as it is now."""
        ...

    def look(self, span_s: float) -> Look:
        """Look once; `span_s` is how far back events are wanted. Never raises for what a stack can do."""
        ...

    def wait(self, seconds: float, /) -> bool:
        """Let some seconds pass; True as soon as the watch was told to end."""
        ...

    def clock(self) -> float:
        """Tell the seconds of a clock that only goes forward."""
        ...


@dataclass
class Logbook:
    """Writes lines of a bounded length, and no more than some a minute; how many were left out is told."""

    write: Callable[[str], None]
    clock: Callable[[], float]
    _began: float = field(default=0.0, init=False)
    _count: int = field(default=0, init=False)

    def note(self, text: str) -> None:
        """Write one line."""
        now = self.clock()
        if now - self._began >= 60.0:  # noqa: PLR2004 - a minute
            surplus = self._count - LINES_A_MINUTE
            self._began, self._count = now, 0
            if surplus > 0:
                self.write(f"{surplus} more lines in the minute before")
        self._count += 1
        if self._count <= LINES_A_MINUTE:
            line = " ".join(text.split())
            self.write(line if len(line) <= LINE_LIMIT else f"{line[: LINE_LIMIT - 1]}…")


@dataclass
class Watch:
    """One stack under watch."""

    sight: Sight
    log: Logbook
    heal: Callable[[Failure], str] | None
    """Heals, and says how that ended; None where the watch only tells."""
    interval_s: float = INTERVAL_S
    _last: float = field(default=0.0, init=False)

    def run(self) -> None:
        """Watch until told to end."""
        detector = Detector(self.sight.services())
        pause_s = 0.0
        while not self.sight.wait(pause_s):
            began = self.sight.clock()
            look = self._look()
            if look is None:
                return
            detector.services = self.sight.services()
            change = detector.observe(look)
            for line in change.lines:
                self.log.note(line)
            if change.alarm:
                self._hand_over(change.alarm)
                detector.handed_over(change.alarm, self.sight.clock())
            interval_s = SUSPICION_S if change.suspicious else self.interval_s
            pause_s = max(0.0, interval_s - (self.sight.clock() - began))

    def once(self) -> tuple[Alarm | None, tuple[str, ...]]:
        """Look, a second time where that is needed to decide, and tell what is believed to be broken."""
        detector = Detector(self.sight.services())
        lines: list[str] = []
        while True:
            look = self._look()
            if look is None:
                return None, tuple(lines)
            change = detector.observe(look)
            lines += change.lines
            if change.alarm or not change.suspicious or self.sight.wait(SUSPICION_S):
                return change.alarm, tuple(lines)

    def _look(self) -> Look | None:
        """Look on another thread; None when told to end before the look did."""
        answers: queue.SimpleQueue[Look | Exception] = queue.SimpleQueue()
        now = self.sight.clock()
        span_s = now - self._last if self._last else 0.0
        self._last = now

        def look() -> None:
            try:
                answers.put(self.sight.look(span_s))
            except Exception as error:  # noqa: BLE001 - raised again by whoever waits
                answers.put(error)
            finished.set()

        finished = threading.Event()
        threading.Thread(target=look, name="look", daemon=True).start()
        while not finished.wait(0.05):
            if self.sight.wait(0.0):
                return None
        found = answers.get()
        if isinstance(found, Exception):
            raise found
        return found

    def _hand_over(self, alarm: Alarm) -> None:
        if self.heal is None:
            return
        try:
            ended = self.heal(failure_of(alarm))
        except GreenroomError as error:
            ended = f"not healed: {error.message.splitlines()[0]}"
        self._last = 0.0  # what the healer did itself is no event
        self.log.note(ended)


def failure_of(alarm: Alarm) -> Failure:
    """Give the failure that an alarm is: of the earliest stage among its signs, since the first of them began. Pure."""
    first = min(alarm.signs, key=lambda each: STAGES.index(each.stage))
    seen = _moment(alarm.at)
    begins = [each for each in (_moment(sign.since) for sign in alarm.signs) if each is not None]
    known = [each for each in begins if seen is not None and timedelta(0) <= seen - each <= BELIEVABLE]
    at = min(known).isoformat().replace("+00:00", "Z") if known else alarm.at
    return Failure(
        stage=first.stage,
        code="NOT_HEALTHY",
        phase="watch",
        resource=first.key,
        evidence="\n".join(each.text for each in alarm.signs)[:4000],
        at=at,
    )


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
