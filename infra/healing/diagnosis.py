"""From a situation to the causes that it proves: the root first, then what follows from it or comes next. Pure.

A deployment meets its stages in an order, so of two causes the earlier stage's is the root; within a stage the surer
one is. What only tells that something else has failed comes last, and is the answer only where nothing else is. Where
nothing is proved and something is wrong all the same, the cause is unknown, and a person is asked.
"""

from __future__ import annotations

__all__ = ["diagnose", "is_wrong"]

from typing import TYPE_CHECKING

from infra.healing.causes import CAUSES, UNKNOWN
from infra.healing.matching import listed, lookup, section, services
from infra.healing.model import STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.healing.model import Cause, Match, Situation


def diagnose(situation: Situation, causes: Sequence[Cause] = CAUSES) -> list[Match]:
    """Return every cause that is proved, the root first; none where nothing is wrong. Raises for no text.

    Of several matches of one cause and subject the surest stays.
    """
    best: dict[str, Match] = {}
    for each in causes:
        for match in each.look(situation):
            known = best.get(match.fingerprint)
            if known is None or match.confidence > known.confidence:
                best[match.fingerprint] = match
    if not best and is_wrong(situation):
        return list(UNKNOWN.look(situation))
    return sorted(best.values(), key=_order)


def is_wrong(situation: Situation) -> bool:
    """Tell whether anything is wrong at all: a failure, a statement that does not hold, a drift, an ill container."""
    if situation.failure is not None or situation.statements:
        return True
    if section(situation, "unreachable") or listed(situation.evidence.get("drift")):
        return True
    declared = situation.declared.services
    return any(
        (each.get("state") not in ("running", lookup(declared, name, "state"))) or each.get("health") == "unhealthy"
        for name, each in services(situation).items()
    )


def _order(match: Match) -> tuple[bool, int, float, str]:
    cause = match.cause
    return cause.symptom, STAGES.index(cause.stage), -match.confidence, match.fingerprint
