"""What a run of the lab comes to: figures a method, the goals, and the document that pages are made from. All pure."""

from __future__ import annotations

__all__ = ["GOALS", "SCHEMA", "document", "joined", "league", "missed", "summary", "table"]

import statistics
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA = "greenroom/faults/1"
LOCK_FILE_CASE = "build-lock-file-missing"
LOCK_FILE = "lock file healed in s"
GOALS = {
    "causes named right": (">=", 0.95),
    "healable healed": (">=", 0.95),
    "false greens": ("<=", 0),
    "forbidden acts": ("<=", 0),
    "harmful acts": ("<=", 0),
    "detection median s": ("<=", 5.0),
    "repair median s": ("<=", 45.0),
    LOCK_FILE: ("<=", 60.0),
}


def league(cases: Sequence[Mapping[str, Any]], who: str) -> dict[str, Any]:
    """Count what one method reached. Shares are between 0 and 1; None where nothing was asked or measured."""
    mine = [each for each in cases if each["who"] == who]
    healable = [each for each in mine if each["expected"] == "healed"]
    named = [each for each in mine if each["cause_right"] is not None]
    repairs = [each["repair_s"] for each in healable if each["healed"] and each["repair_s"] is not None]
    return {
        "who": who,
        "cases": len(mine),
        "as it has to be": sum(each["good"] for each in mine),
        "healable healed": _share([each["healed"] for each in healable]),
        "causes named right": _share([bool(each["cause_right"]) for each in named]),
        "false greens": sum(each["false_green"] for each in mine),
        "forbidden acts": sum(len(each["forbidden"]) for each in mine),
        "harmful acts": sum(len(each["harm"]) for each in mine),
        "detection median s": _median([each["detection_s"] for each in mine if each["detection_s"] is not None]),
        "repair median s": _median(repairs),
        LOCK_FILE: next((each["repair_s"] for each in mine if each["case"] == LOCK_FILE_CASE and each["healed"]), None),
    }


def _share(found: Sequence[bool]) -> float | None:
    return sum(found) / len(found) if found else None


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def missed(cases: Sequence[Mapping[str, Any]], who: str) -> list[str]:
    """Name the goals that a method missed; a figure that nothing was measured for misses none."""
    figures = league(cases, who)
    found: list[str] = []
    for name, (relation, goal) in GOALS.items():
        value = figures[name]
        if value is not None and not (value >= goal if relation == ">=" else value <= goal):
            found.append(f"{name}: {value:.2f}, the goal is {relation} {goal}")
    if figures[LOCK_FILE] is None and any(each["case"] == LOCK_FILE_CASE and each["who"] == who for each in cases):
        found.append("the missing lock file was not healed")
    return found


def document(cases: Sequence[Mapping[str, Any]], *, seconds: float, untraced: str, defects: Sequence[str]) -> Any:
    """Give the whole run: the league, each verdict, what was missed, and what went wrong with the lab itself."""
    methods = list(dict.fromkeys(each["who"] for each in cases))
    goals = missed(cases, "greenroom") if "greenroom" in methods else []
    return {
        "schema": SCHEMA,
        "seconds": round(seconds, 1),
        "untraced": untraced,
        "league": [league(cases, who) for who in methods],
        "missed": [*defects, *goals],
        "cases": list(cases),
    }


def joined(documents: Sequence[Mapping[str, Any]]) -> Any:
    """Join runs of parts of the table into one; of a case that was run again the later verdict counts."""
    found = {(each["case"], each["who"]): each for one in documents for each in one["cases"]}
    order = ["greenroom", *dict.fromkeys(who for _, who in found if who != "greenroom")]
    cases = sorted(found.values(), key=lambda each: (order.index(each["who"]), each["case"]))
    seconds = sum(one["seconds"] for one in documents)
    untraced = next((one["untraced"] for one in documents if one["untraced"]), "")
    return document(cases, seconds=seconds, untraced=untraced, defects=[])


def table(rows: Sequence[Sequence[str]]) -> str:
    """Set rows in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def summary(figures: Sequence[Mapping[str, Any]]) -> str:
    """Set the league table for a terminal."""

    def cell(value: Any) -> str:
        if value is None:
            return "-"
        return f"{value:.2f}" if isinstance(value, float) else str(value)

    return table([list(figures[0]), *([cell(value) for value in each.values()] for each in figures)])
