"""The issues of an incident: what was wrong, one entry for each different fault, and what became of it.

An incident keeps the turns of the loop. People ask for faults: one that took three turns is one issue, and one that
nobody acted on is an issue too. Consequences of another fault are told with it and counted nowhere.
"""

from __future__ import annotations

__all__ = ["Issue", "Result", "Step", "issues_of", "summary_of"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from infra.healing.model import Verb
from infra.healing.wording import impact_of, next_steps_of, title_of

if TYPE_CHECKING:
    from infra.healing.incident import Incident
    from infra.healing.model import Act, Attempt, Failure, Match, Outcome, Proof

Result = Literal["healed", "planned", "patch offered", "escalated", "not healed", "left"]
"""Gone, proved by looking again; only planned, in a dry run; waiting for a person to take a patch; handed to a person
untouched; still there after acts; untouched because the run ended before."""


@dataclass(frozen=True)
class Step:
    """One act of a fix, as it was planned and as it ended."""

    text: str
    why: str
    undo: str
    state: Literal["done", "failed", "refused", "not carried out"]
    seconds: float = 0.0
    before: str = ""
    after: str = ""
    """What it found and what it left; for a refusal, the host's reason."""


@dataclass(frozen=True)
class Issue:
    """One fault."""

    number: int
    fingerprint: str
    code: str
    title: str
    stage: str
    severity: str
    verdict: str
    impact: str
    role: str
    """Who is asked where it is not healed."""
    rows: tuple[str, ...]
    """The rows of the fault catalogue."""
    confidence: float | None
    """From 0 to 1; None where no cause was named."""
    proof: tuple[Proof, ...]
    failure: Failure | None
    tries: int
    steps: tuple[Step, ...]
    refusal: str
    """Why nothing, or nothing more, was done."""
    result: Result
    next_steps: tuple[str, ...]
    consequences: tuple[str, ...] = ()
    """What else did not hold because of it."""

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something about it."""
        return self.result != "healed"


def issues_of(incident: Incident) -> tuple[Issue, ...]:
    """Return the issues in the order in which they were met, those that were never tried last."""
    turns: dict[str, list[Attempt]] = {}
    for attempt in incident.attempts:
        if name := _name(attempt):
            turns.setdefault(name, []).append(attempt)
    left = {match.fingerprint: match for match in incident.remaining if not match.cause.symptom}
    issues = [
        _issue(number, name, attempts, still_there=name in left, dry_run=incident.dry_run)
        for number, (name, attempts) in enumerate(turns.items(), start=1)
    ]
    for name, match in left.items():
        if name not in turns:
            issues.append(_left(len(issues) + 1, match))
    return tuple(issues)


def summary_of(incident: Incident) -> str:
    """Tell the incident in one sentence or two."""
    issues = issues_of(incident)
    open_ones = [each for each in issues if each.is_open]
    healed = len(issues) - len(open_ones)
    proof = f"all {incident.statements} statements hold" if incident.statements else "nothing was proved"
    if incident.ending == "healthy":
        return f"Nothing was wrong: {proof}."
    if incident.ending == "planned":
        planned = sum(len(each.steps) for each in issues)
        return f"Dry run: {_count(planned, 'act')} planned for {_count(len(issues), 'issue')}, none carried out."
    if incident.ending == "healed":
        return f"Healed: {_count(healed, 'issue')} mended, and {proof}."
    why = {
        "escalated": "Escalated",
        "stopped": "Stopped before its end",
        "exhausted": "Given up at the run's limits",
    }[incident.ending]
    done = f"{healed} of {_count(len(issues), 'issue')} healed" if healed else f"{_count(len(issues), 'issue')} met"
    told = done if issues else "no cause was named"
    return (
        f"{why}: {told}; asked: {', '.join(sorted({each.role for each in open_ones}))}."
        if open_ones
        else f"{why}: {told}."
    )


def _issue(number: int, name: str, attempts: list[Attempt], *, still_there: bool, dry_run: bool) -> Issue:
    last = attempts[-1]
    steps = tuple(step for attempt in attempts for step in _steps(attempt))
    asked = still_there or bool(last.refusal)
    failure = next((each.failure for each in attempts if each.failure), None)
    seen = dict.fromkeys(title_of(match) for attempt in attempts for match in attempt.others if match.cause.symptom)
    return Issue(
        **_named(name, last.match, failure),
        number=number,
        failure=failure,
        tries=sum(bool(attempt.outcomes) for attempt in attempts),
        steps=steps,
        refusal=last.refusal,
        result=_result(last, steps, asked=asked, still_there=still_there, dry_run=dry_run),
        consequences=tuple(seen),
    )


def _result(last: Attempt, steps: tuple[Step, ...], *, asked: bool, still_there: bool, dry_run: bool) -> Result:
    if last.healed and not still_there:
        return "healed"
    if dry_run and steps:
        return "planned"
    if last.outcomes and last.outcomes[-1].succeeded and last.outcomes[-1].act.verb is Verb.OFFER_PATCH:
        return "patch offered"
    if any(step.state != "not carried out" for step in steps):
        return "not healed"
    return "escalated" if asked else "left"


def _left(number: int, match: Match) -> Issue:
    named = _named(match.fingerprint, match, None)
    return Issue(**named, number=number, failure=None, tries=0, steps=(), refusal="", result="escalated")


def _named(name: str, match: Match | None, failure: Failure | None) -> dict[str, Any]:
    """Give what the cause tells of an issue, or what the failure does where no cause was named."""
    if match is None:
        code, stage = (failure.code, failure.stage) if failure else (name, "")
        told = {"title": "The cause is unknown", "impact": "Unknown", "severity": "high", "verdict": "escalate"}
        none = {"rows": (), "proof": (), "next_steps": (), "confidence": None}
        return {"fingerprint": name, "code": code, "stage": stage, "role": "devops", **told, **none}
    cause = match.cause
    return {
        "fingerprint": name,
        "code": cause.code,
        "title": title_of(match),
        "stage": cause.stage,
        "severity": cause.severity,
        "verdict": cause.verdict.value,
        "impact": impact_of(match),
        "role": cause.role,
        "rows": cause.rows,
        "confidence": match.confidence,
        "proof": match.proof,
        "next_steps": next_steps_of(match),
    }


def _name(attempt: Attempt) -> str:
    if attempt.match is not None:
        return attempt.match.fingerprint
    return attempt.failure.code if attempt.failure else ""


def _steps(attempt: Attempt) -> list[Step]:
    """Pair the acts with their outcomes: they are carried out in their order, up to the first that fails."""
    rest: list[Outcome | None] = [*attempt.outcomes, *[None] * len(attempt.plan)]
    return [_step(act, outcome) for act, outcome in zip(attempt.plan, rest, strict=False)]


def _step(act: Act, outcome: Outcome | None) -> Step:
    if outcome is None:
        return Step(act.text, act.why, act.undo, "not carried out")
    state = "refused" if outcome.refused else "done" if outcome.succeeded else "failed"
    after = outcome.refused or outcome.after
    return Step(act.text, act.why, act.undo, state, outcome.seconds, outcome.before, after)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
