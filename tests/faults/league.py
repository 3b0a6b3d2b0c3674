"""Turns the figures of a full run into the league table and its picture. Usage: league.py FIGURES.json...

Writes docs/faults.md between its marks, and docs/faults.svg. Nothing is worked out here that the run has not judged.
"""

from __future__ import annotations

import html
import json
import sys
from pathlib import Path
from typing import Any

from figures import joined, league

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- figures: written by tests/faults/league.py -->", "<!-- end of figures -->"
COLOURS = {
    "as it has to be": "#2e7d4f",
    "right outcome, but a wrong cause or an unwanted act": "#e0b93c",
    "left broken, and said so": "#9aa0a6",
    "false green": "#c62828",
}
REPORTED_MTTR_S = 480
NONE = "-"


def kind_of(case: dict[str, Any]) -> str:
    """Sort one case into the kinds that the picture shows."""
    if case["false_green"]:
        return "false green"
    if case["good"]:
        return "as it has to be"
    if case["became"] == case["expected"]:
        return "right outcome, but a wrong cause or an unwanted act"
    return "left broken, and said so"


def picture(document: dict[str, Any]) -> str:
    """Draw a bar a method, and under it when each fault was mended."""
    methods = [each["who"] for each in document["league"]]
    width, left, bar, top = 900, 210, 30, 70
    span = width - left - 30
    parts: list[str] = [text(20, 28, "What became of each fault", size=17, weight="bold")]
    for number, (kind, colour) in enumerate(COLOURS.items()):
        x = (20, 170, 520, 720)[number]
        parts += [f'<rect x="{x}" y="42" width="11" height="11" fill="{colour}"/>', text(x + 16, 52, kind, size=12)]
    for row, who in enumerate(methods):
        y = top + row * (bar + 14)
        mine = [each for each in document["cases"] if each["who"] == who]
        parts.append(text(left - 12, y + 20, who, anchor="end"))
        x = float(left)
        for kind, colour in COLOURS.items():
            count = sum(kind_of(each) == kind for each in mine)
            length = span * count / max(len(mine), 1)
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="{bar}" fill="{colour}"/>')
            if length > 18:
                parts.append(text(x + length / 2, y + 20, str(count), anchor="middle", fill="#fff", size=13))
            x += length
    y = top + len(methods) * (bar + 14) + 40
    parts += _repairs(document, left, span, y)
    height = y + 130
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _repairs(document: dict[str, Any], left: int, span: int, y: int) -> list[str]:
    """A dot a healed fault, by the seconds from the first word about it to the proof."""
    longest = 120.0
    parts = [text(20, y, "Greenroom's repairs, in seconds from the first word to the proof", size=17, weight="bold")]
    axis = y + 70
    parts.append(f'<line x1="{left}" y1="{axis}" x2="{left + span}" y2="{axis}" stroke="#555"/>')
    for second in range(0, int(longest) + 1, 15):
        x = left + span * second / longest
        parts += [f'<line x1="{x:.1f}" y1="{axis}" x2="{x:.1f}" y2="{axis + 5}" stroke="#555"/>']
        parts += [text(x, axis + 20, f"{second}", anchor="middle", size=12)]
    goal = left + span * 45 / longest
    parts.append(
        f'<line x1="{goal:.1f}" y1="{y + 14}" x2="{goal:.1f}" y2="{axis}" stroke="#c62828" stroke-dasharray="4 3"/>'
    )
    parts.append(
        text(
            goal + 5,
            y + 24,
            f"goal of the median; the report of 2025-11-15 tells of about {REPORTED_MTTR_S}",
            size=12,
            fill="#c62828",
        )
    )
    healed = [each for each in document["cases"] if each["who"] == "greenroom" and each["became"] == "healed"]
    for number, each in enumerate(sorted(healed, key=lambda case: case["repair_s"] or 0)):
        x = left + span * min(each["repair_s"] or 0.0, longest) / longest
        dot = axis - 8 - (number % 4) * 8
        title = html.escape(f"{each['case']}: {each['repair_s'] or 0:.1f} s")
        parts.append(
            f'<circle cx="{x:.1f}" cy="{dot}" r="4" fill="#2e7d4f" fill-opacity="0.75"><title>{title}</title></circle>'
        )
    return parts


def text(
    x: float, y: float, words: str, *, anchor: str = "start", size: int = 14, fill: str = "#222", weight: str = ""
) -> str:
    heavy = f' font-weight="{weight}"' if weight else ""
    place = f'x="{x:.1f}" y="{y}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}" fill="{fill}"{heavy}>{html.escape(words)}</text>'


def cell(value: Any) -> str:
    """Print one figure."""
    if value is None:
        return NONE
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.0%}"


def figures(document: dict[str, Any]) -> str:
    """Write the league table, and a line for each case."""
    heads = ("who", "cases", "as it has to be", "healable healed", "causes named right", "false greens")
    heads += ("forbidden acts", "harmful acts", "detection, median", "repair, median")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for each in _fairly(document):
        seconds = [
            f"{cell(each[key])} s" if each[key] is not None else NONE
            for key in ("detection median s", "repair median s")
        ]
        lines.append(
            f"| {each['who']} | {each['cases']} | {each['as it has to be']} | {percent(each['healable healed'])} |"
            f" {percent(each['causes named right'])} | {each['false greens']} | {each['forbidden acts']} |"
            f" {each['harmful acts']} | {' | '.join(seconds)} |"
        )
    lines += ["", "| case | expected | became | cause named | detected | repaired | " + _others(document) + " |"]
    lines.append("|---" * (6 + len(document["league"]) - 1) + "|")
    by_case: dict[str, dict[str, dict[str, Any]]] = {}
    for each in document["cases"]:
        by_case.setdefault(each["case"], {})[each["who"]] = each
    for name, found in by_case.items():
        lines.append(_line(name, found, [each["who"] for each in document["league"]]))
    return "\n".join(lines)


def _fairly(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the league; where baselines met fewer faults, with the healer's figures on those same ones too."""
    lines = list(document["league"])
    met = {each["case"] for each in document["cases"] if each["who"] != "greenroom"}
    same = [each for each in document["cases"] if each["who"] == "greenroom" and each["case"] in met]
    if met and len(same) < lines[0]["cases"]:
        lines.insert(1, {**league(same, "greenroom"), "who": "greenroom, on the baselines' cases"})
    return lines


def _others(document: dict[str, Any]) -> str:
    return " | ".join(each["who"] for each in document["league"][1:])


def _line(name: str, found: dict[str, dict[str, Any]], methods: list[str]) -> str:
    own = found.get("greenroom")
    others = [_word(found.get(who)) for who in methods if who != "greenroom"]
    if own is None:
        return f"| {name} | {' | '.join([NONE] * 5 + others)} |"
    causes = own["claim"]["causes"]
    named = causes[0] if causes else NONE
    wrong = " (wrong)" if own["cause_right"] is False else ""
    seconds = [f"{cell(own[key])} s" if own[key] is not None else NONE for key in ("detection_s", "repair_s")]
    became = own["became"] + ("" if own["good"] else " ✗")
    return f"| {name} | {own['expected']} | {became} | {named}{wrong} | {' | '.join(seconds)} | {' | '.join(others)} |"


def _word(case: dict[str, Any] | None) -> str:
    if case is None:
        return NONE
    words = ["**false green**"] if case["false_green"] else [case["became"]]
    words += [f"{len(case['forbidden'])} forbidden"] if case["forbidden"] else []
    words += ["harm"] if case["harm"] else []
    return ", ".join(words)


def main() -> None:
    """Write both files from the document that is named on the command line."""
    document = joined([json.loads(Path(each).read_text(encoding="utf-8")) for each in sys.argv[1:]])
    (DOCS / "faults.svg").write_text(picture(document), encoding="utf-8")
    page = DOCS / "faults.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{figures(document)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
