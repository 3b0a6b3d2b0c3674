"""The cause of everything that no matcher proves: a person is asked, with the last line that failed."""

from __future__ import annotations

__all__ = ["UNKNOWN"]

from typing import TYPE_CHECKING

from infra.healing.matching import Seen, cause, proof, services, step_lines, text
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Situation


def _unknown(situation: Situation) -> Iterator[Seen]:
    failure = situation.failure
    lines = [line for line in step_lines(failure) if line.strip()]
    if failure is not None:
        line = lines[-1] if lines else failure.command or failure.code
        yield Seen(
            f"{failure.phase or failure.stage} {failure.code}", proof(failure.phase or "step", line), 0.1, _told(line)
        )
    elif situation.statements:
        first = situation.statements[0]
        line = f"{first.name}: {first.reason}"
        yield Seen(first.name, proof(first.group, line), 0.1, _told(line))
    else:
        drift = situation.evidence.get("drift")
        first_found = drift[0] if isinstance(drift, list) and drift and isinstance(drift[0], dict) else {}
        ill = [f"{name}: {each.get('state')}, {each.get('health')}" for name, each in services(situation).items()]
        line = text(first_found.get("what")) or "; ".join(ill) or "the host could not be asked"
        yield Seen("stack", proof("evidence", line), 0.1, _told(line))


def _told(line: str) -> dict[str, str]:
    return {"line": line[:300]}


UNKNOWN = cause(
    "CAUSE_UNKNOWN",
    _unknown,
    rows="",
    stage="rollback",
    verdict=Verdict.ESCALATE,
    severity="high",
    title="{subject} failed, and no known cause is proved: {line}",
    impact="The stack may not serve as declared. Nothing was tried, because nothing known fits.",
    role="devops",
    next_steps=(
        "read the evidence beside this report; the last line that failed: {line}",
        "greenroom drift -s {stack} && greenroom verify -s {stack}",
        "greenroom logs -s {stack} && greenroom ssh -s {stack}",
    ),
    symptom=True,
)
