"""Durations over time as a picture: a point an incident, seconds on a logarithmic axis, goal and median as lines.

Repairs take from a second to a day, so a linear axis would show one outlier and a flat rest. As in `picture`, only
geometry and words are decided here.
"""

from __future__ import annotations

__all__ = ["Dot", "Plot", "Rule", "plot_of"]

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.healing.metrics import instant
from infra.healing.picture import clock_text

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 500, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 392, 10, 208
"""The field of the points; the labels of the lines stand to its right."""
GRID = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 360_000.0)
FLOOR = 0.1
"""Seconds that the axis begins with at the latest; what is quicker stands on it."""
APART = 13.0
"""How far labels of lines have to stand from each other."""


@dataclass(frozen=True)
class Dot:
    """One incident."""

    x: float
    y: float
    kind: str
    title: str


@dataclass(frozen=True)
class Rule:
    """A line across."""

    y: float
    label: str
    kind: str
    label_y: float


@dataclass(frozen=True)
class Plot:
    """Everything that is drawn."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    dots: tuple[Dot, ...]
    grid: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    begins: str
    ends: str
    alternative: str


def plot_of(
    points: Sequence[tuple[str, float, str, str]], *, rules: Sequence[tuple[float, str, str]], alternative: str
) -> Plot:
    """Lay out points of (RFC 3339 time, seconds, kind, title) and lines of (seconds, label, kind)."""
    times = [moment.timestamp() for at, *_ in points if (moment := instant(at))]
    first, last = (min(times), max(times)) if times else (0.0, 0.0)
    every = [seconds for _, seconds, *_ in points] + [seconds for seconds, *_ in rules]
    low = max(FLOOR, min(every, default=1.0) / 2)
    high = max(low * 10, max(every, default=1.0) * 1.6)

    def x(at: str) -> float:
        moment = instant(at)
        part = (moment.timestamp() - first) / (last - first) if moment and last > first else 0.5
        return round(LEFT + 12 + (RIGHT - LEFT - 24) * part, 1)

    def y(seconds: float) -> float:
        part = math.log(max(seconds, low) / low) / math.log(high / low)
        return round(BOTTOM - (BOTTOM - TOP) * min(1.0, part), 1)

    return Plot(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=RIGHT,
        top=TOP,
        bottom=BOTTOM,
        dots=tuple(Dot(x(at), y(seconds), kind, title) for at, seconds, kind, title in points),
        grid=tuple(Rule(y(value), clock_text(value), "grid", y(value) + 4) for value in GRID if low <= value <= high),
        rules=_apart([(y(seconds), label, kind) for seconds, label, kind in rules]),
        begins=min((at for at, *_ in points), default="")[:10],
        ends=max((at for at, *_ in points), default="")[:10],
        alternative=alternative,
    )


def _apart(rules: Sequence[tuple[float, str, str]]) -> tuple[Rule, ...]:
    """Move labels that would lie on each other, from the top down; the lines stay where they are."""
    placed: list[Rule] = []
    for y, label, kind in sorted(rules):
        label_y = y + 4
        if placed and label_y - placed[-1].label_y < APART:
            label_y = placed[-1].label_y + APART
        placed.append(Rule(y, label, kind, round(label_y, 1)))
    return tuple(placed)
