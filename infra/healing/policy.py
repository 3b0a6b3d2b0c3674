"""What a healer may do next: pure decisions over a situation, what was found in it, and what the run has used so far.

A dry run and a real one ask the same function, so what the one prints is what the other performs. Refusals are told in
the order in which they count: what a person has to do, then what the host itself refused, then the run's limits.
"""

from __future__ import annotations

__all__ = ["SUREST_DOUBT", "Budget", "Decision", "Remedy", "Spent", "choose", "undeployed"]

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from infra.healing.model import Act, Match, Outcome, Situation, Verb, Verdict
from infra.healing.wording import asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SUREST_DOUBT = 0.5
"""A cause that is not surer than this is told, not acted on."""


class Remedy(Protocol):
    """An entry of the playbook, as far as policy has to know it."""

    @property
    def guard(self) -> Callable[[Situation, Match], str]:
        """Tells why the remedy must not be used here; an empty text where it may."""
        ...

    @property
    def plan(self) -> Callable[[Situation, Match], tuple[Act, ...]]:
        """Gives the acts, in their order."""
        ...


@dataclass(frozen=True)
class Budget:
    """The limits of one run, and of what comes back after it."""

    tries: int = 3
    """How often one cause may be tried."""
    acts: int = 6
    seconds: float = 600.0
    heals: int = 2
    """How often the same fault is healed within an hour while nobody looks on."""


@dataclass(frozen=True)
class Spent:
    """What a run has used so far, and how its attempts ended."""

    acts: int = 0
    seconds: float = 0.0
    tries: Mapping[str, int] = field(default_factory=dict[str, int])
    """By the cause's code."""
    claimed: frozenset[str] = frozenset()
    """The fingerprints of attempts whose whole plan was performed, and said that it had succeeded."""
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    """By fingerprint, why the host did not do an act."""
    heals: Mapping[str, int] = field(default_factory=dict[str, int])
    """By fingerprint, how often it was healed in the hour before this run, while nobody looked on."""

    def after(self, match: Match, plan: Sequence[Act], outcomes: Sequence[Outcome]) -> Spent:
        """Add an attempt; acts that failed or were refused count like the others."""
        code, fingerprint = match.cause.code, match.fingerprint
        is_whole = bool(outcomes) and len(outcomes) == len(plan) and all(each.succeeded for each in outcomes)
        refused = next((each.refused for each in outcomes if each.refused), "")
        return replace(
            self,
            acts=self.acts + len(outcomes),
            tries={**self.tries, code: self.tries.get(code, 0) + 1},
            claimed=self.claimed | {fingerprint} if is_whole else self.claimed,
            refused={**self.refused, fingerprint: refused} if refused else self.refused,
        )


@dataclass(frozen=True)
class Decision:
    """The cause that is taken next, with its plan, or with why nothing is done about it."""

    match: Match
    others: tuple[Match, ...] = ()
    plan: tuple[Act, ...] = ()
    refusal: str = ""
    exhausted: bool = False
    """Whether it is the run's limits that refuse."""


def choose(
    situation: Situation,
    matches: Sequence[Match],
    spent: Spent,
    *,
    remedies: Mapping[str, Remedy],
    budget: Budget,
) -> Decision:
    """Decide about the root of what was found; `matches` has at least one, the root first."""
    root = next((each for each in matches if not each.cause.symptom), matches[0])
    others = tuple(each for each in matches if each is not root)
    why = _for_a_person(situation, root, remedies) or _not_again(root, spent, budget)
    if why:
        return Decision(root, others, refusal=why)
    plan = remedies[root.cause.remedy].plan(situation, root)
    if not plan:
        return Decision(root, others, refusal=f"the remedy {root.cause.remedy} has nothing to do here")
    if (waiting := undeployed(situation)) and any(each.verb is Verb.CONVERGE for each in plan):
        told = f"mending would deploy what nobody has deployed yet: {'; '.join(waiting)}"
        return Decision(root, others, refusal=told)
    why = _beyond(root, plan, spent, budget)
    if why:
        return Decision(root, others, refusal=why, exhausted=True)
    return Decision(root, others, plan)


def _for_a_person(situation: Situation, match: Match, remedies: Mapping[str, Remedy]) -> str:
    cause = match.cause
    if cause.verdict is Verdict.ESCALATE:
        return f"{cause.code} is for a person: {asked(cause.role)}"
    if match.confidence <= SUREST_DOUBT:
        return f"{cause.code} is not sure enough to act on: {match.confidence:.0%}"
    remedy = remedies.get(cause.remedy)
    if remedy is None:
        return f"the playbook has no remedy {cause.remedy!r} for {cause.code}"
    guard = remedy.guard(situation, match)
    return f"its precondition does not hold: {guard}" if guard else ""


def undeployed(situation: Situation) -> tuple[str, ...]:
    """Name what the settings ask for and no deployment has brought, where mending is not to bring it either."""
    return tuple(situation.evidence.get("undeployed") or ())


def _not_again(match: Match, spent: Spent, budget: Budget) -> str:
    """Open the breaker: what was mended and is there again, or was refused, is not tried once more."""
    fingerprint = match.fingerprint
    if fingerprint in spent.refused:
        return f"the host refused: {spent.refused[fingerprint]}"
    if fingerprint in spent.claimed:
        return f"{fingerprint} is there again after acts that said they had succeeded"
    if spent.heals.get(fingerprint, 0) >= budget.heals:
        return f"{fingerprint} is there again, and was healed {spent.heals[fingerprint]} times within the hour"
    return ""


def _beyond(match: Match, plan: Sequence[Act], spent: Spent, budget: Budget) -> str:
    tried = spent.tries.get(match.cause.code, 0)
    if tried >= budget.tries:
        return f"{match.cause.code} was tried {tried} times; a run tries a cause {budget.tries} times"
    if spent.acts + len(plan) > budget.acts:
        return f"{spent.acts} acts are done and {len(plan)} are needed; a run may do {budget.acts}"
    if spent.seconds >= budget.seconds:
        return f"{spent.seconds:.0f} s are over; a run may take {budget.seconds:.0f}"
    return ""
