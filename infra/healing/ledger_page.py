"""The ledger as one self-contained HTML page: figures, plots of detection and repair, causes, doubted heals."""

from __future__ import annotations

__all__ = ["PAGE", "page_of_ledger", "summary_of_ledger"]

from typing import TYPE_CHECKING, Any

from infra.commands.templates import TEMPLATES, render
from infra.healing.metrics import seconds_text
from infra.healing.pages import STYLE, TONES, shown
from infra.healing.plain import to_plain
from infra.healing.plots import Plot, plot_of
from infra.redaction import PROCESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.healing.ledger import Ledger, Line

PAGE = "ledger.html"
GOALS = {"detection_s": 5.0, "repair_s": 45.0}
"""What healing is held to, as medians, in seconds."""


def page_of_ledger(ledger: Ledger, damaged: Sequence[str] = ()) -> str:
    """Return the ledger as one HTML page, masked; `damaged` names the files that can't be read."""
    values: dict[str, Any] = {
        "ledger": to_plain(ledger),
        "summary": summary_of_ledger(ledger),
        "tone": "failed" if ledger.suspects or damaged else "passed",
        "tones": TONES,
        "damaged": list(damaged),
        "plots": [
            {"name": "Detection", **to_plain(_plot(ledger, "detection_s", ledger.median_detection_s))},
            {"name": "Repair", **to_plain(_plot(ledger, "repair_s", ledger.median_repair_s))},
        ],
        "style": (TEMPLATES / STYLE).read_text(),
    }
    return PROCESS.mask(render("ledger.html.j2", values, {"shown": shown, "seconds": seconds_text}))


def summary_of_ledger(ledger: Ledger) -> str:
    """Tell the ledger in a sentence or two."""
    if not ledger.incidents:
        return "No incident so far."
    suspects = len({each.id for each in ledger.suspects})
    doubt = f"{suspects} of them doubted" if suspects else "none of them doubted"
    return f"{ledger.healed} of {ledger.incidents} incidents healed, {doubt}."


def _plot(ledger: Ledger, name: str, median: float | None) -> Plot:
    points = [_point(line, name) for line in reversed(ledger.lines) if getattr(line, name) is not None]
    rules = [(GOALS[name], f"goal {seconds_text(GOALS[name])}", "goal")]
    if median is not None:
        rules.append((median, f"median {seconds_text(median)}", "median"))
    told = seconds_text(median) if median is not None else "none yet"
    return plot_of(points, rules=rules, alternative=f"{len(points)} incidents over time; median {told}")


def _point(line: Line, name: str) -> tuple[str, float, str, str]:
    seconds = float(getattr(line, name))
    return line.at, seconds, TONES[line.ending], f"{line.id}: {seconds_text(seconds)}, {line.ending}"
