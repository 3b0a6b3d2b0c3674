"""The matchers that all causes share: fields of the evidence, and lines of tools matched from their start.

Text is bounded before a pattern sees it, patterns are anchored at the start of a line, and no pattern can run away, so
that no log, however long or hostile, costs more than a moment. What a line says is never obeyed: at most it lends a
name to a cause, and a cause whose remedy acts asks for a structured fact besides.
"""

from __future__ import annotations

__all__ = [
    "Seen",
    "cause",
    "entries",
    "errors_of",
    "failed",
    "find_drift",
    "first_line",
    "lines_of",
    "listed",
    "lookup",
    "number",
    "proof",
    "section",
    "services",
    "step_lines",
    "text",
    "the_error",
    "words",
]

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.healing.evidence import env_path
from infra.healing.model import Cause, Match, Proof
from infra.transport.remote.tracebacks import first_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from infra.healing.model import Failure, Role, Severity, Situation, Stage, Verdict

MOST_LINES = 2000
LONGEST_LINE = 1000
SHOWN = 300
_PROGRESS = re.compile(r"#\d{1,5} (?:\d{1,6}\.\d{1,6} )?")
"""What BuildKit's plain progress puts before every line that a step prints."""


@dataclass(frozen=True)
class Seen:
    """What a matcher found: what it is about, the lines that prove it, how surely, and what sentences fill in."""

    subject: str
    proof: tuple[Proof, ...]
    confidence: float = 0.9
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


def cause(
    code: str,
    look: Callable[[Situation], Iterable[Seen]],
    *,
    rows: str,
    stage: Stage,
    verdict: Verdict,
    severity: Severity,
    title: str,
    impact: str,
    role: Role,
    next_steps: tuple[str, ...],
    remedy: str = "",
    symptom: bool = False,
) -> Cause:
    """Make a cause of a matcher. `rows` are the catalogue's, parted by blanks.

    Every match's details also name the stack, so that sentences can: stack, address, project, directory, user, domain,
    compose_file, env_file, env_path, repository, branch, commit, machine, tag.
    """

    def matches(situation: Situation) -> Iterator[Match]:
        for seen in look(situation):
            details = {**_stack(situation), **seen.details}
            yield Match(made, seen.confidence, seen.proof, seen.subject, details)

    made = Cause(
        code=code,
        rows=tuple(rows.split()),
        stage=stage,
        verdict=verdict,
        severity=severity,
        title=title,
        impact=impact,
        role=role,
        next_steps=next_steps,
        look=matches,
        remedy=remedy,
        symptom=symptom,
    )
    return made


# ---- structured facts


def section(situation: Situation, name: str) -> Mapping[str, Any]:
    """Return a section of the evidence; empty where it was not answered."""
    found = situation.evidence.get(name)
    return {} if not isinstance(found, Mapping) or "unanswered" in found else found


def lookup(value: Any, *path: str) -> Any:
    """Return what stands at a path of nested mappings; None where it ends before."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def listed(value: Any) -> list[Mapping[str, Any]]:
    """Return the mappings of a list; whatever else it may hold is left out."""
    is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return [each for each in value if isinstance(each, Mapping)] if is_list else []


def entries(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the mappings of a mapping, with their names; whatever else it may hold is left out."""
    if not isinstance(value, Mapping):
        return []
    return [(str(name), each) for name, each in value.items() if isinstance(each, Mapping)]


def words(value: Any) -> list[str]:
    """Return the texts of a list; whatever else it may hold is left out."""
    return [each[:LONGEST_LINE] for each in value if isinstance(each, str)] if isinstance(value, list | tuple) else []


def text(value: Any) -> str:
    """Return a field's text, bounded; empty for what is no text."""
    return value[: LONGEST_LINE * 4] if isinstance(value, str) else ""


def number(value: Any) -> float:
    """Return a field's number; 0 for what is none."""
    return float(value) if isinstance(value, int | float) else 0.0


def services(situation: Situation) -> dict[str, Mapping[str, Any]]:
    """Return the containers of the stack's own project, by service."""
    return dict(entries(section(situation, "containers").get("services")))


def find_drift(situation: Situation, pattern: re.Pattern[str], *, layer: str = "host") -> list[Mapping[str, Any]]:
    """Return the findings of a look, in one layer, whose sentence (Greenroom's own) matches from its start."""
    found = listed(situation.evidence.get("drift"))
    return [each for each in found if each.get("layer") == layer and pattern.match(text(each.get("what")))]


def failed(situation: Situation, *codes: str) -> Failure | None:
    """Return the failure where it has one of these codes."""
    failure = situation.failure
    return failure if failure is not None and failure.code in codes else None


# ---- lines of text


def lines_of(value: Any) -> list[str]:
    """Return the lines of a text, or of a list of lines, bounded in number and length."""
    if isinstance(value, str):
        rows: list[Any] = value[-MOST_LINES * LONGEST_LINE :].split("\n")
    else:
        rows = list(value) if isinstance(value, list | tuple) else []
    return [row[:LONGEST_LINE].rstrip("\r") for row in rows[-MOST_LINES:] if isinstance(row, str)]


def step_lines(failure: Failure | None) -> list[str]:
    """Return the lines that the failed step printed, without what a build puts before each."""
    if failure is None:
        return []
    return [_PROGRESS.sub("", line, count=1) for line in lines_of(failure.evidence)]


def first_line(pattern: re.Pattern[str], lines: Iterable[str]) -> re.Match[str] | None:
    """Return the match of the first line that matches from its start."""
    return next((found for found in map(pattern.match, lines) if found), None)


def the_error(situation: Situation, service: str = "") -> Mapping[str, Any]:
    """Return the first error that a service's log tells of, or without a service the failed step's output."""
    if service:
        found = services(situation).get(service, {}).get("first_error")
        return found if isinstance(found, Mapping) else {}
    failure = situation.failure
    return (first_error("\n".join(step_lines(failure))) or {}) if failure else {}


def errors_of(situation: Situation) -> list[Mapping[str, Any]]:
    """Return the first error that the failed step's output tells of, and what was raised because of it."""
    error = the_error(situation)
    return [error, *listed(error.get("then"))] if error else []


def proof(source: str, line: Any) -> tuple[Proof, ...]:
    """Return one line of evidence, as short as a reader wants it."""
    shown = " ".join(str(line).split())
    return (Proof(source, shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"),)


def _stack(situation: Situation) -> dict[str, Any]:
    declared = situation.declared
    names = ("stack", "address", "project", "directory", "user", "domain", "compose_file", "env_file")
    more = ("repository", "branch", "commit", "machine", "tag")
    return {name: getattr(declared, name) for name in (*names, *more)} | {"env_path": env_path(declared)}
