"""An incident: what went wrong from its first notice to its end, as one value that every report is made from."""

from __future__ import annotations

__all__ = ["Ending", "Incident", "Moment"]

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.healing.model import Attempt, Failure, Match

Trigger = Literal["up", "heal", "watch"]
Ending = Literal["healthy", "healed", "escalated", "stopped", "exhausted", "planned"]
"""Nothing was wrong; all is proved again; a person is asked; the stop file or a signal ended it; the budget did; it was
a dry run, which ends with the first plan."""


@dataclass(frozen=True)
class Moment:
    """One line of the timeline."""

    at: str
    """RFC 3339 in UTC, to the millisecond."""
    what: Literal["detected", "evidence", "diagnosed", "planned", "acted", "resumed", "verified", "escalated", "ended"]
    text: str
    seconds: float = 0.0
    """How long it took; 0 for an instant."""


@dataclass(frozen=True)
class Incident:
    """From detection to the proof, or to the escalation."""

    id: str
    """Sorts by time: 20251115T101502Z-3f9a."""
    stack: str
    trigger: Trigger
    began: str
    """When the fault began, where it can be known (a container's FinishedAt, a step's start), else `detected`."""
    detected: str
    ended: str
    ending: Ending
    dry_run: bool = False
    first: Failure | None = None
    attempts: tuple[Attempt, ...] = ()
    remaining: tuple[Match, ...] = ()
    """Causes that are left for a person."""
    timeline: tuple[Moment, ...] = ()
    statements: int = 0
    """How many statements the last proof made; 0 where none was made."""
    failed_statements: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The stack in a few words: domain, address, droplet, commit, engine."""
    artifacts: tuple[str, ...] = ()
    """Files that belong to it, relative to the incident's directory."""
