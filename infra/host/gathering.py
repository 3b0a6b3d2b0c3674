"""Facts in one round trip: what the reads of a refresh ask of a host is asked together.

A converged resource leaves its questions on its host (`remembered`), root-only and without any key. The first read of
a process asks for its own facts, for those of the reads that wait beside it, and for all that is remembered. A later
read whose questions are exactly among those takes the answer; one whose questions are not is asked with whatever
waits at the same time. An answer is given out once, so a second look always asks the host again; what was gathered
before a change is forgotten with it, and nothing outlives the process.
"""

from __future__ import annotations

__all__ = ["Gathering", "gathering", "mark_of", "remembered"]

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.transport.worker import Worker

Props = dict[str, Any]
Probes = dict[str, Props]

MAX_AGE_S = 30.0
"""An answer that waited longer for its read than this is not given out."""
_ASKED = "gathered"


def mark_of(subject: str, probes: Probes) -> str:
    """Return the name under which a resource's questions are known: the same for the same questions only."""
    text = json.dumps([subject, _plain(probes)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def remembered(subject: str, probes: Probes) -> dict[str, Probes]:
    """Return what a host may keep of a resource's questions: nothing where one of them carries a key."""
    if not probes or any(probe.get("key") for probe in probes.values()):
        return {}
    return {mark_of(subject, probes): probes}


@dataclass
class _Board:
    """One host's questions and answers."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    waiting: dict[str, Probes] = field(default_factory=dict[str, Probes])
    answers: dict[str, tuple[float, Props]] = field(default_factory=dict[str, tuple[float, Props]])
    given: set[str] = field(default_factory=set[str])
    asking: bool = False
    generation: int = 0
    everything_asked: bool = False

    def forget(self) -> None:
        """Start over: the next read asks for everything again, and an answer that is on its way counts no more."""
        self.answers, self.given, self.everything_asked = {}, set(), False
        self.generation += 1

    def take(self, mark: str) -> Props | None:
        """Give an answer out, once and while it is fresh."""
        at, facts = self.answers.pop(mark, (0.0, None))
        if facts is None or time.monotonic() - at > MAX_AGE_S:
            return None
        self.given.add(mark)
        return facts


class Gathering:
    """The boards of this process, by host. Thread-safe; one request at a time is under way to each host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._boards: dict[str, _Board] = {}

    def ask(
        self, host: str, probes: Probes, *, worker: Callable[[], Worker], subject: str, phase: str, timeout_s: float
    ) -> Props:
        """Return the facts for these questions, gathered with others where that can be.

        `worker` opens the way to the host when this read is the one that asks. UnreachableError, AuthenticationError
        and StepError as from `Worker.call`.
        """
        board, mark = self._board(host), mark_of(subject, probes)
        with board.changed:
            if mark in board.given:
                board.forget()
            board.waiting[mark] = probes
            while board.asking and mark not in board.answers:
                board.changed.wait()
            facts = board.take(mark)
            if facts is None:
                board.asking = True
        if facts is None:
            facts = self._gather(board, mark, probes, worker, subject=subject, phase=phase, timeout_s=timeout_s)
        told = facts.get("facts")
        if told is None:  # the host failed to find them, which a question of its own tells in full
            return worker().call(subject=subject, phase=phase, probes=probes, timeout_s=timeout_s)
        return told

    def _gather(self, board: _Board, mark: str, probes: Probes, worker: Callable[[], Worker], **request: Any) -> Props:
        """Ask for everything that waits once the way is open, publish the answers, and return one's own."""
        answers: dict[str, Props] = {}
        generation = -1
        try:
            opened = worker()
            with board.changed:
                asked, board.waiting = {**board.waiting, mark: probes}, {}
                everything, board.everything_asked = not board.everything_asked, True
                generation = board.generation
            question = {"kind": _ASKED, "sets": asked, "everything": everything}
            answers = opened.call(probes={_ASKED: question}, **request)[_ASKED]
        finally:
            self._publish(board, answers, mark, generation)
        return answers[mark]

    def forget(self, host: str = "") -> None:
        """Forget what was gathered from a host, or from all: something there is about to change."""
        with self._lock:
            boards = [board for name, board in self._boards.items() if host in ("", name)]
        for board in boards:
            with board.changed:
                board.forget()

    def _board(self, host: str) -> _Board:
        with self._lock:
            return self._boards.setdefault(host, _Board())

    @staticmethod
    def _publish(board: _Board, answers: Mapping[str, Props], own: str, generation: int) -> None:
        """Hand the answers to whoever waits; without any, the next one in line asks for itself."""
        with board.changed:
            board.asking = False
            if not answers:
                board.everything_asked = False
            elif generation == board.generation:
                now = time.monotonic()
                board.answers |= {mark: (now, facts) for mark, facts in answers.items() if mark != own}
                board.given.add(own)
            board.changed.notify_all()


gathering = Gathering()
"""This process's."""


def _plain(value: Any) -> Any:
    """Give whole numbers one spelling: between engine and provider every number is a double."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
