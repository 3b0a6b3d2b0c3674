"""When a fault began, where the evidence can tell: pure, and never later than it was noticed."""

from __future__ import annotations

__all__ = ["onset_of"]

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Match, Situation

EARLIEST_YEAR = 2000
"""Docker writes the year 1 for what never ended."""


def onset_of(situation: Situation, match: Match) -> datetime | None:
    """Return when the service that the match is about ended, or when what it names drifted; None where none tells."""
    found = [each for each in _times(situation, match) if each is not None and each.year >= EARLIEST_YEAR]
    return min(found, default=None)


def _times(situation: Situation, match: Match) -> Iterator[datetime | None]:
    if situation.failure and situation.failure.at:
        yield _time(situation.failure.at)
    containers: Any = situation.evidence.get("containers") or {}
    service: Any = (containers.get("services") or {}).get(match.subject) or {}
    if service and service.get("state") != "running":
        yield _time(service.get("finished_at"))
    drift: Any = situation.evidence.get("drift") or []
    for finding in drift:
        if match.subject and match.subject in str(finding.get("what")):
            yield _time(finding.get("since"))


def _time(text: Any) -> datetime | None:
    """Read RFC 3339 with any number of digits of a second."""
    try:
        whole, _, rest = str(text).replace("Z", "+00:00").partition(".")
        digits, plus, zone = rest.partition("+")
        read = datetime.fromisoformat(f"{whole}.{digits[:6]:0<6}+{zone}" if plus else str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return read.astimezone(UTC) if read.tzinfo else None
