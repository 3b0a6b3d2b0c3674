"""What people are told when an incident is left to them: who is asked, for what, with which evidence and commands."""

from __future__ import annotations

__all__ = ["Ask", "Notice", "as_text", "notice_of"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.healing.issues import issues_of, summary_of
from infra.healing.wording import visible

if TYPE_CHECKING:
    from infra.healing.incident import Incident
    from infra.healing.issues import Issue

ESCALATED = ("escalated", "exhausted")
TAIL_LINES = 12
"""How much of a step's output is told; the report has all of it."""
LONGEST_LINE = 400


@dataclass(frozen=True)
class Ask:
    """One thing that a person has to do."""

    role: str
    """system administrator for credentials and access, devops for the deployment, qa for functional tests."""
    code: str
    severity: str
    stage: str
    title: str
    impact: str
    evidence: tuple[str, ...]
    """The lines that prove the cause, then the tail of what the failed step printed."""
    why_not_healed: str
    commands: tuple[str, ...]
    """What to type, in this order."""


@dataclass(frozen=True)
class Notice:
    """The whole escalation."""

    incident: str
    stack: str
    domain: str
    at: str
    """When the incident ended."""
    ending: str
    summary: str
    asks: tuple[Ask, ...]
    failed_statements: tuple[str, ...]
    report: str
    """The command that shows the report."""


def notice_of(incident: Incident) -> Notice | None:
    """Return what people are told; None where all is well, in a dry run, and where somebody stopped it."""
    if incident.dry_run or incident.ending not in ESCALATED:
        return None
    asks = tuple(_ask(issue) for issue in issues_of(incident) if issue.is_open)
    return Notice(
        incident=incident.id,
        stack=incident.stack,
        domain=str(incident.facts.get("domain", "")),
        at=incident.ended,
        ending=incident.ending,
        summary=summary_of(incident),
        asks=asks or (_look(incident),),
        failed_statements=incident.failed_statements,
        report=f"greenroom incidents {incident.id} -s {incident.stack}",
    )


def as_text(notice: Notice) -> str:
    """Return the escalation as plain text: what to do first, then the evidence, so that a cut loses the least."""
    lines = [f"{notice.stack}: {notice.ending}", notice.summary, notice.report, ""]
    for number, ask in enumerate(notice.asks, start=1):
        lines += [f"{number}. {ask.role}, {ask.severity}: {ask.title}", f"   {ask.impact}"]
        lines += [f"   $ {command}" for command in ask.commands]
        lines.append("")
    for number, ask in enumerate(notice.asks, start=1):
        lines += [f"Evidence of {number} ({ask.code}):", *(f"   {line}" for line in ask.evidence), ""]
    lines += [f"does not hold: {each}" for each in notice.failed_statements]
    return visible("\n".join(lines)).strip()


def _ask(issue: Issue) -> Ask:
    proof = [f"{each.source}: {each.line}" for each in issue.proof]
    tail = issue.failure.evidence.splitlines()[-TAIL_LINES:] if issue.failure else []
    return Ask(
        role=issue.role,
        code=issue.code,
        severity=issue.severity,
        stage=issue.stage,
        title=issue.title,
        impact=issue.impact,
        evidence=tuple(visible(line)[:LONGEST_LINE] for line in (*proof, *tail)),
        why_not_healed=issue.refusal or _last_words(issue),
        commands=issue.next_steps,
    )


def _last_words(issue: Issue) -> str:
    """Say how the last act ended that was carried out: what is offered, what failed, what the host refused."""
    ended = [step for step in issue.steps if step.state != "not carried out"]
    return f"{ended[-1].text.split(' ')[0]}: {ended[-1].after or ended[-1].state}" if ended else ""


def _look(incident: Incident) -> Ask:
    """Ask somebody to look, where the run ended before it could name a cause."""
    failure = incident.first
    tail = failure.evidence.splitlines()[-TAIL_LINES:] if failure else []
    return Ask(
        role="devops",
        code=failure.code if failure else "CAUSE_UNKNOWN",
        severity="high",
        stage=failure.stage if failure else "health",
        title="The run ended before a cause was named",
        impact="Unknown",
        evidence=tuple(visible(line)[:LONGEST_LINE] for line in tail),
        why_not_healed="",
        commands=(f"greenroom heal -s {incident.stack} --dry-run",),
    )
