"""The timeline of an incident as a picture: where each bar and mark stands, in the units of an SVG's view box.

Only geometry and words are decided here, as plain values that tests can measure; the page's template draws them.
"""

from __future__ import annotations

__all__ = ["Band", "Bar", "Mark", "Picture", "Tick", "clock_text", "picture_of", "ticks_up_to"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from infra.healing.metrics import seconds_between
from infra.healing.wording import visible

if TYPE_CHECKING:
    from infra.healing.incident import Incident, Moment

WIDTH = 1000
LEFT, RIGHT = 84, 984
"""Where the time axis begins and ends; the names of the lanes stand before it."""
TOP, LANE = 34, 40
BAR = 20
LANES = {"fault": 0, "look": 1, "act": 2, "prove": 3}
LANE_OF = {
    "evidence": "look",
    "diagnosed": "look",
    "planned": "look",
    "acted": "act",
    "resumed": "act",
    "verified": "prove",
}
MARKS = {"detected": "fault", "escalated": "act", "planned": "look"}
SHORTEST = 3.0
"""A bar that took no time is seen all the same."""
PAD, MARK = 7, 7
"""Room before and after a bar's label, and a mark's radius."""
LETTER = 6.4
"""How wide a letter of a label is at most, on average."""
BEFORE = 0.25
"""How much of the picture a fault that nobody noticed may take at most, in parts of what came after."""
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
TICKS = 8


@dataclass(frozen=True)
class Tick:
    """A line of the time axis."""

    x: float
    label: str


@dataclass(frozen=True)
class Bar:
    """Something that took time."""

    x: float
    y: float
    width: float
    kind: str
    label: str
    """Empty where there is no room for it."""
    text_x: float
    title: str
    """The whole text, for who points at it."""


@dataclass(frozen=True)
class Mark:
    """An instant."""

    x: float
    y: float
    kind: str
    title: str


@dataclass(frozen=True)
class Band:
    """The time of one turn of the loop."""

    x: float
    width: float
    label: str
    is_even: bool


@dataclass(frozen=True)
class Picture:
    """Everything that is drawn."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    lanes: tuple[tuple[str, float], ...]
    """Names with their y."""
    ticks: tuple[Tick, ...]
    bands: tuple[Band, ...]
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    alternative: str
    """The picture in words, for who can't see it."""


class _Axis:
    """Turns times into x."""

    def __init__(self, incident: Incident) -> None:
        self._zero = incident.detected
        spans = [self.span(moment) for moment in incident.timeline]
        ends = [0.0, self.second(incident.ended), *(end for _, end in spans)]
        self.end = max(*ends, 1.0)
        self.unnoticed = max(0.0, -self.second(incident.began))
        starts = [0.0, *(start for start, _ in spans)]
        self.start = min(*starts, -min(self.unnoticed, self.end * BEFORE))

    def second(self, at: str) -> float:
        return seconds_between(self._zero, at) or 0.0

    def span(self, moment: Moment) -> tuple[float, float]:
        """Return when a moment began and ended, in seconds from the detection."""
        end = self.second(moment.at)
        return end - max(0.0, moment.seconds), end

    def x(self, second: float) -> float:
        part = (second - self.start) / (self.end - self.start)
        return round(LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, part)), 1)


def picture_of(incident: Incident) -> Picture:
    """Lay the timeline out."""
    axis = _Axis(incident)
    bars = [*_fault(incident, axis), *(_bar(each, axis) for each in incident.timeline if _takes_time(each))]
    marks = [_mark(each, axis) for each in incident.timeline if each.what in MARKS]
    bottom = TOP + LANE * len(LANES)
    return Picture(
        width=WIDTH,
        height=bottom + 26,
        left=LEFT,
        right=RIGHT,
        top=TOP,
        bottom=bottom,
        lanes=tuple((name, _middle(name)) for name in LANES),
        ticks=tuple(Tick(axis.x(at), clock_text(at)) for at in ticks_up_to(axis.end, axis.start)),
        bands=_bands(incident, axis),
        bars=tuple(bars),
        marks=(*marks, _end(incident, axis)),
        alternative=f"{len(incident.timeline)} moments in {clock_text(axis.end)}; the table below tells them all",
    )


def ticks_up_to(end: float, start: float = 0.0) -> list[float]:
    """Return round seconds between two, zero among them, at most a handful."""
    step = next((each for each in STEPS if (end - start) / each <= TICKS), (end - start) / TICKS)
    first = -int(-start // step) if start < 0 else 0
    return [round(number * step, 3) for number in range(first, int(end // step) + 1)]


def clock_text(seconds: float) -> str:
    """Write a time from zero: 0, 2.5 s, 45 s, 2:30, 1:02:03."""
    sign, whole = ("-" if seconds < 0 else ""), abs(seconds)
    if whole < 60:  # noqa: PLR2004 - a minute
        return f"{sign}{whole:.3g} s" if whole else "0"
    minutes, rest = divmod(round(whole), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02d}:{rest:02d}" if hours else f"{sign}{minutes}:{rest:02d}"


def _fault(incident: Incident, axis: _Axis) -> list[Bar]:
    """Draw the fault: as long as nobody knew of it, and from then on."""
    y = _middle("fault") - BAR / 2
    known_end = axis.second(incident.ended)
    known = _box(axis, 0.0, known_end, y=y, kind="known", text=f"known for {clock_text(known_end)}")
    if not axis.unnoticed:
        return [known]
    words = f"unnoticed for {clock_text(axis.unnoticed)}"
    unnoticed = _box(axis, -axis.unnoticed, 0.0, y=y, kind="unnoticed", text=words)
    return [unnoticed if unnoticed.label == words else replace(unnoticed, label=""), known]


def _bar(moment: Moment, axis: _Axis) -> Bar:
    start, end = axis.span(moment)
    text = visible(moment.text).replace("\n", " ")
    y = _middle(LANE_OF[moment.what]) - BAR / 2
    return _box(axis, start, end, y=y, kind=moment.what, text=text, seconds=moment.seconds)


def _box(axis: _Axis, start: float, end: float, *, y: float, kind: str, text: str, seconds: float = 0.0) -> Bar:
    x = axis.x(start)
    width = round(max(SHORTEST, axis.x(end) - x), 1)
    title = f"{kind}: {text}" + (f" ({seconds:.1f} s)" if seconds else "")
    x = min(x, RIGHT - SHORTEST)
    inset = MARK + 5 if kind == "known" else PAD
    return Bar(x, y, width, kind, _fitting(text, width - inset - PAD), x + inset, title)


def _bands(incident: Incident, axis: _Axis) -> tuple[Band, ...]:
    """Shade the turns of the loop: each from its own begin to that of the next."""
    begins = [axis.x(axis.second(attempt.began)) for attempt in incident.attempts if attempt.began]
    ends = [*begins[1:], axis.x(axis.second(incident.ended))]
    bands: list[Band] = []
    for number, (attempt, x, end) in enumerate(zip(incident.attempts, begins, ends, strict=False), start=1):
        code = attempt.match.cause.code if attempt.match else attempt.failure.code if attempt.failure else "unknown"
        width = round(max(0.0, end - x), 1)
        label = _fitting(f"{number}  {visible(code)}", width - 6)
        bands.append(Band(x, width, label, is_even=number % 2 == 0))
    return tuple(bands)


def _mark(moment: Moment, axis: _Axis) -> Mark:
    text = visible(moment.text).replace("\n", " ")
    return Mark(axis.x(axis.second(moment.at)), _middle(MARKS[moment.what]), moment.what, f"{moment.what}: {text}")


def _end(incident: Incident, axis: _Axis) -> Mark:
    return Mark(axis.x(axis.second(incident.ended)), _middle("fault"), incident.ending, f"ended: {incident.ending}")


def _takes_time(moment: Moment) -> bool:
    return moment.what in LANE_OF and (moment.seconds > 0 or moment.what not in MARKS)


def _middle(lane: str) -> float:
    return TOP + LANE * LANES[lane] + LANE / 2


def _fitting(text: str, width: float) -> str:
    """Cut a label to the room that it has; where not even a word fits there is none."""
    letters = int(width / LETTER)
    if len(text) <= letters:
        return text
    return f"{text[: letters - 1].rstrip()}…" if letters >= 6 else ""  # noqa: PLR2004 - a short word
