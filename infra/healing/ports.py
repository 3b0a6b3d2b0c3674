"""What the healer needs of the world, and nothing else: the loop above it is plain code over these few calls."""

from __future__ import annotations

__all__ = ["Done", "Halt", "Ports", "Verified"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from infra.healing.model import Act, Failure, Match, Outcome, Situation, Statement


@dataclass(frozen=True)
class Halt:
    """Why a run must not go on: somebody stopped it, or its time is over."""

    ending: Literal["stopped", "exhausted"]
    why: str


@dataclass(frozen=True)
class Done:
    """An act that was performed. Where it ran the engine: the failure that run ended with, None where it succeeded."""

    outcome: Outcome
    failure: Failure | None = None


@dataclass(frozen=True)
class Verified:
    """The full acceptance suite: how many statements it made, and those that do not hold."""

    statements: int
    failed: tuple[Statement, ...] = ()


class Ports(Protocol):
    """Everything that takes time, may fail, or changes something. No call raises for a failure that healing is for."""

    def now(self) -> datetime:
        """Tell the time, in UTC, for the record."""
        ...

    def clock(self) -> float:
        """Tell the seconds of a clock that only goes forward, for budgets and durations."""
        ...

    def halted(self) -> Halt | None:
        """Say whether the run was stopped; what runs then is cancelled by whoever noticed it."""
        ...

    def identify(self) -> Failure | None:
        """Prove that cloud and host are the ones of the state, or tell how they are not."""
        ...

    def look(self, failure: Failure | None, statements: Sequence[Statement] = ()) -> Situation:
        """Collect the evidence; changes nothing."""
        ...

    def diagnose(self, situation: Situation) -> Sequence[Match]:
        """Name causes, the root first; none where nothing is wrong."""
        ...

    def perform(self, act: Act) -> Done:
        """Perform one act."""
        ...

    def resume(self) -> Failure | None:
        """Run the deployment on from where it stopped; gives the next failure, None where it came to its end."""
        ...

    def verify(self) -> Verified:
        """Make the whole proof."""
        ...

    def record(
        self, verb: str, subject: str, *, arguments: Mapping[str, Any], why: str, before: str, after: str, outcome: str
    ) -> None:
        """Append to the audit log; what cannot be recorded is not done, so this one may raise."""
        ...

    def say(self, text: str) -> None:
        """Tell a person who reads along."""
        ...
