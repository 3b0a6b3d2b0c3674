"""The reports that people read of an incident: Markdown, and one self-contained HTML page.

Evidence is what broken software printed, and may have been written by an enemy. In HTML every value is escaped, and a
policy in the page itself forbids scripts and everything from elsewhere; in Markdown a value is either escaped, or
stands in a fence that is longer than any it contains. Control characters are spelled out in both.
"""

from __future__ import annotations

__all__ = ["HTML", "MARKDOWN", "keep", "markdown_of", "page_of"]

import re
from typing import TYPE_CHECKING, Any

from infra.commands.templates import TEMPLATES, render
from infra.durable import save
from infra.healing.document import write
from infra.healing.issues import issues_of, summary_of
from infra.healing.metrics import NOTHING, metrics_of, seconds_between, seconds_text
from infra.healing.picture import picture_of
from infra.healing.plain import to_plain
from infra.healing.wording import visible
from infra.redaction import PROCESS

if TYPE_CHECKING:
    from pathlib import Path

    from infra.healing.incident import Incident

MARKDOWN, HTML = "incident.md", "incident.html"
STYLE = "report.css"
TONES = {
    "healed": "passed",
    "healthy": "passed",
    "planned": "plain",
    "escalated": "waived",
    "stopped": "waived",
    "exhausted": "failed",
}
RESULTS = {
    "healed": "passed",
    "planned": "plain",
    "patch offered": "waived",
    "escalated": "waived",
    "left": "waived",
    "not healed": "failed",
}
URGENCIES = {"critical": "failed", "high": "failed", "medium": "waived"}
STATES = {"done": "passed", "failed": "failed", "refused": "waived", "not carried out": "plain"}
PLAIN_FILE = re.compile(r"(?!/)(?!.*\.\.)[A-Za-z0-9._/-]+")
"""What may become a link: a path below the incident's directory, and nothing with a scheme."""
_SPECIAL = re.compile(
    r"[\\`*\[\]<>|~&$]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # inside a word it is no emphasis
    r"|:(?=//)|(?<=www)\.|@"  # what GitHub would make a link of
    r"|^[-+=#]"
)
"""CommonMark's and GitHub's markup, where it would be read as such; on one line, after other text or at its begin."""
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_FENCE = re.compile(r"`{3,}")
_TICKS = re.compile(r"`+")
LINE_LIMIT, TEXT_LIMIT = 400, 8000


def keep(incident: Incident, incidents: Path) -> Path:
    """Write the incident as document, Markdown and HTML into a directory of its own, and give that back."""
    directory = write(incident, incidents)
    save(directory / MARKDOWN, markdown_of(incident))
    save(directory / HTML, page_of(incident))
    return directory


def page_of(incident: Incident) -> str:
    """Return the incident as one HTML page, masked."""
    values = {**_values(incident), "picture": to_plain(picture_of(incident)), "style": (TEMPLATES / STYLE).read_text()}
    return PROCESS.mask(render("incident.html.j2", values, {"shown": shown, "seconds": seconds_text}))


def markdown_of(incident: Incident) -> str:
    """Return the incident as Markdown (CommonMark), masked."""
    filters = {"text": escaped, "cell": cell, "code": code, "fence": fenced, "seconds": seconds_text}
    return PROCESS.mask(render("incident.md.j2", _values(incident), filters))


def shown(value: Any) -> str:
    """Make a value visible text of bounded length; the template escapes it."""
    text = visible(str(value))
    return text if len(text) <= TEXT_LIMIT else f"…{text[-TEXT_LIMIT:]}"


def escaped(value: Any) -> str:
    """Make a value one line of Markdown in which nothing is markup."""
    return _NUMBERED.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", _line(value)))


def cell(value: Any) -> str:
    """Make a value a cell of a Markdown table."""
    return escaped(value) or NOTHING


def code(value: Any) -> str:
    """Make a value a code span, with as many backticks around it as it takes."""
    line = _line(value)
    if not line:
        return NOTHING
    ticks = "`" * (max((len(run) for run in _TICKS.findall(line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fenced(value: Any) -> str:
    """Make a text a fenced block whose fence is longer than any run of backticks in it."""
    text = shown(value).strip("\n")
    fence = "`" * (max((len(run) for run in _FENCE.findall(text)), default=2) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _line(value: Any) -> str:
    line = " ".join(visible(str(value)).split())
    return line if len(line) <= LINE_LIMIT else f"{line[:LINE_LIMIT]}…"


def _values(incident: Incident) -> dict[str, Any]:
    """Give the templates plain values; the issues twice, whole and those that are open."""
    issues = [
        {
            **to_plain(each),
            "tone": RESULTS[each.result],
            "urgency": URGENCIES.get(each.severity, "plain"),
            "steps": [_step(step) for step in to_plain(each.steps)],
        }
        for each in issues_of(incident)
    ]
    return {
        "incident": to_plain(incident),
        "moments": [{**to_plain(each), **_when(each.at, incident.detected)} for each in incident.timeline],
        "summary": summary_of(incident),
        "tone": TONES[incident.ending],
        "issues": issues,
        "remaining": [each for each in issues if each["result"] != "healed"],
        "metrics": to_plain(metrics_of(incident)),
        "artifacts": [{"name": name, "is_plain": bool(PLAIN_FILE.fullmatch(name))} for name in incident.artifacts],
    }


def _when(at: str, zero: str) -> dict[str, str]:
    """Give a time as the seconds from the notice, and as the time of the day."""
    seconds = seconds_between(zero, at)
    clock = at.partition("T")[2].removesuffix("Z") or at
    return {"offset": NOTHING if seconds is None else f"{seconds:+.1f} s", "clock": clock}


def _step(step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "tone": STATES[step["state"]]}
