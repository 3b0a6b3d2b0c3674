"""All incidents of a stack over time: by cause, how many were healed, how soon, and which heals are doubted.

Counted is what really happened: dry runs, and runs that found nothing wrong, are left out. A heal is doubted where it
was called so without a whole proof, or where one of its faults came back within an hour: a false green, as far as
it can be told from the record. Nothing here acts; the page and the command line print what this computes.
"""

from __future__ import annotations

__all__ = [
    "BACK_WITHIN_S",
    "SCHEMA",
    "CauseRow",
    "Ledger",
    "Line",
    "Suspect",
    "document_of_ledger",
    "ledger_of",
    "unwatched_heals",
]

from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from infra.healing.issues import issues_of
from infra.healing.metrics import metrics_of, seconds_between
from infra.healing.plain import to_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.healing.incident import Incident
    from infra.healing.issues import Issue

SCHEMA = "greenroom/ledger/1"
BACK_WITHIN_S = 3600.0
"""A fault that is back so soon was not mended but covered."""
UNCOUNTED = ("healthy", "planned")


@dataclass(frozen=True)
class Line:
    """One incident of the ledger; durations in seconds."""

    id: str
    at: str
    """When it was noticed."""
    trigger: str
    ending: str
    codes: tuple[str, ...]
    """The causes that were met, in their order."""
    issues: int
    healed: int
    detection_s: float | None
    repair_s: float | None
    duration_s: float


@dataclass(frozen=True)
class CauseRow:
    """One cause over all incidents."""

    code: str
    met: int
    healed: int
    escalated: int
    """Handed to a person, or still there after acts."""
    median_repair_s: float | None
    """Of the healed incidents that it was part of."""


@dataclass(frozen=True)
class Suspect:
    """A heal that is doubted."""

    id: str
    fingerprint: str
    """The fault that came back; empty where the proof itself was not whole."""
    why: str
    again: str = ""
    """The incident that it came back in."""


@dataclass(frozen=True)
class Ledger:
    """The figures of a stack."""

    stack: str
    incidents: int
    healed: int
    """Incidents that ended with everything proved again."""
    issues: int
    issues_healed: int
    heal_rate: float | None
    """Issues healed by issues met, 0 to 1."""
    mttd_s: float | None
    """The mean detection time."""
    mttr_s: float | None
    """The mean repair time of what was healed."""
    median_detection_s: float | None
    median_repair_s: float | None
    suspects: tuple[Suspect, ...]
    causes: tuple[CauseRow, ...]
    """The most frequent first."""
    lines: tuple[Line, ...]
    """The newest first."""


def unwatched_heals(incidents: Iterable[Incident], at: str) -> dict[str, int]:
    """Count, by fingerprint, the faults that the watch has healed within the hour before `at` (RFC 3339)."""
    counted: dict[str, int] = {}
    for each in incidents:
        ago = seconds_between(each.ended, at)
        if each.trigger == "watch" and ago is not None and 0 <= ago <= BACK_WITHIN_S:
            for fingerprint in {one.match.fingerprint for one in each.attempts if one.healed and one.match}:
                counted[fingerprint] = counted.get(fingerprint, 0) + 1
    return counted


def ledger_of(stack: str, incidents: Iterable[Incident]) -> Ledger:
    """Draw up the ledger of a stack's incidents, given in any order."""
    counted = sorted(
        (each for each in incidents if not each.dry_run and each.ending not in UNCOUNTED), key=lambda each: each.id
    )
    lines = [_line(each) for each in counted]
    detections = [each.detection_s for each in lines if each.detection_s is not None]
    repairs = [each.repair_s for each in lines if each.repair_s is not None]
    issues, healed = sum(each.issues for each in lines), sum(each.healed for each in lines)
    return Ledger(
        stack=stack,
        incidents=len(lines),
        healed=sum(each.ending == "healed" for each in lines),
        issues=issues,
        issues_healed=healed,
        heal_rate=round(healed / issues, 4) if issues else None,
        mttd_s=_rounded(fmean(detections)) if detections else None,
        mttr_s=_rounded(fmean(repairs)) if repairs else None,
        median_detection_s=_median(detections),
        median_repair_s=_median(repairs),
        suspects=tuple(_suspects(counted)),
        causes=tuple(_causes(counted)),
        lines=tuple(reversed(lines)),
    )


def document_of_ledger(ledger: Ledger, damaged: Sequence[str] = ()) -> dict[str, Any]:
    """Return the ledger as a JSON document, schema `greenroom/ledger/1`; `damaged` are files that can't be read."""
    return {"schema": SCHEMA, **to_plain(ledger), "damaged": list(damaged)}


def _line(incident: Incident) -> Line:
    figures = metrics_of(incident)
    return Line(
        id=incident.id,
        at=incident.detected,
        trigger=incident.trigger,
        ending=incident.ending,
        codes=tuple(issue.code for issue in issues_of(incident)),
        issues=figures.issues,
        healed=figures.healed,
        detection_s=figures.detection_s,
        repair_s=figures.repair_s,
        duration_s=figures.duration_s,
    )


def _causes(incidents: Sequence[Incident]) -> list[CauseRow]:
    met: dict[str, list[tuple[Issue, float | None]]] = {}
    for incident in incidents:
        repair = metrics_of(incident).repair_s
        for issue in issues_of(incident):
            met.setdefault(issue.code, []).append((issue, repair))
    rows: list[CauseRow] = []
    for code, found in met.items():
        healed = sum(not issue.is_open for issue, _ in found)
        repairs = [repair for issue, repair in found if repair is not None and not issue.is_open]
        rows.append(CauseRow(code, len(found), healed, len(found) - healed, _median(repairs)))
    return sorted(rows, key=lambda row: (-row.met, row.code))


def _suspects(incidents: Sequence[Incident]) -> list[Suspect]:
    """Doubt heals; `incidents` are in the order of time."""
    suspects: list[Suspect] = []
    for number, incident in enumerate(incidents):
        if incident.ending != "healed":
            continue
        if not incident.statements or incident.failed_statements:
            unheld = f"{len(incident.failed_statements)} of {incident.statements} statements did not hold"
            suspects.append(Suspect(incident.id, "", unheld if incident.statements else "nothing was proved"))
        mended = {issue.fingerprint for issue in issues_of(incident) if not issue.is_open}
        for later in incidents[number + 1 :]:
            gap = seconds_between(incident.ended, later.detected)
            if gap is None or not 0 <= gap <= BACK_WITHIN_S:
                continue
            back = mended & {issue.fingerprint for issue in issues_of(later)}
            suspects += [Suspect(incident.id, name, f"back after {gap:.0f} s", later.id) for name in sorted(back)]
            mended -= back
    return suspects


def _median(values: Sequence[float]) -> float | None:
    return _rounded(median(values)) if values else None


def _rounded(value: float) -> float:
    return round(value, 3)
