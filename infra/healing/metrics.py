"""The figures of an incident, computed from its values alone: how soon it was noticed, how soon mended, at what cost.

Detection runs from the fault's begin to its notice, repair from the notice to the proof that all is well again; their
means over many incidents are the MTTD and MTTR of the literature (ITIL; Beyer et al., Site Reliability Engineering).
An incident that was not healed has no repair time: its duration is told apart, and never averaged in.
"""

from __future__ import annotations

__all__ = ["NOTHING", "Metrics", "instant", "metrics_of", "seconds_between", "seconds_text"]

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.healing.issues import issues_of

if TYPE_CHECKING:
    from infra.healing.incident import Incident

HEALED = "healed"
NOTHING = "\u2013"
"""What stands where there is nothing to measure."""


@dataclass(frozen=True)
class Metrics:
    """The figures of one incident. Durations are in seconds; None where there is nothing to measure."""

    detection_s: float | None
    """From the fault's begin to its notice; None where nobody knows when it began, or clocks disagree."""
    repair_s: float | None
    """From the notice to the proof; None where it was not healed."""
    duration_s: float
    """From the notice to the end, however it ended."""
    tries: int
    """Turns of the loop that had a plan."""
    acts: int
    """Acts that were carried out."""
    failed_acts: int
    """Those of them that failed or that the host refused."""
    issues: int
    """Different faults that were met: by fingerprint, so one that took three tries counts once."""
    healed: int
    """Those of them that were gone afterwards."""
    success_rate: float | None
    """Healed by all issues, 0 to 1; None where there was no issue."""


def metrics_of(incident: Incident) -> Metrics:
    """Compute the figures of an incident."""
    detection = seconds_between(incident.began, incident.detected)
    duration = max(seconds_between(incident.detected, incident.ended) or 0.0, 0.0)
    outcomes = [outcome for attempt in incident.attempts for outcome in attempt.outcomes]
    issues = issues_of(incident)
    healed = sum(not issue.is_open for issue in issues)
    return Metrics(
        detection_s=round(detection, 3) if detection is not None and detection > 0 else None,
        repair_s=round(duration, 3) if incident.ending == HEALED and not incident.dry_run else None,
        duration_s=round(duration, 3),
        tries=sum(bool(attempt.plan) for attempt in incident.attempts),
        acts=len(outcomes),
        failed_acts=sum(not outcome.succeeded for outcome in outcomes),
        issues=len(issues),
        healed=healed,
        success_rate=round(healed / len(issues), 4) if issues else None,
    )


def instant(text: str) -> datetime | None:
    """Parse an RFC 3339 time in UTC; None for what is none."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def seconds_between(earlier: str, later: str) -> float | None:
    """Return the seconds from one time to another, negative where they stand the other way round."""
    start, end = instant(earlier), instant(later)
    return (end - start).total_seconds() if start and end else None


def seconds_text(value: float | None) -> str:
    """Write a duration: 2.1 s, 46.7 s, 8 min 5 s, 1 h 2 min."""
    if value is None:
        return NOTHING
    if value < 60:  # noqa: PLR2004 - a minute
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
