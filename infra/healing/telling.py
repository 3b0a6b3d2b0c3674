"""A decision in words for a person who reads along: what was found, its proof, what will be done, how to undo it."""

from __future__ import annotations

__all__ = ["lines_of", "short"]

from typing import TYPE_CHECKING

from infra.healing.wording import title_of, visible

if TYPE_CHECKING:
    from infra.healing.policy import Decision

PROOF_LINES = 3
LINE_LIMIT = 240


def lines_of(decision: Decision) -> list[str]:
    """Return the lines, with nothing hidden in them: proof is what a log said."""
    match = decision.match
    lines = [
        f"found: {match.fingerprint.removesuffix(':')} ({match.confidence:.0%} sure)",
        f"  {title_of(match)}",
        *(f"  | {proof.source}: {proof.line}" for proof in match.proof[:PROOF_LINES]),
    ]
    if decision.others:
        lines.append("  also: " + ", ".join(each.fingerprint.removesuffix(":") for each in decision.others))
    for act in decision.plan:
        lines += [f"  plan: {act.text}", f"        why: {act.why}", f"        undo: {act.undo}"]
    if decision.refusal:
        lines.append(f"  not done: {decision.refusal}")
    return [short(line) for line in lines]


def short(line: str) -> str:
    """Return a line for a terminal: nothing hidden in it, and not without end."""
    shown = visible(line)
    return shown if len(shown) <= LINE_LIMIT else f"{shown[:LINE_LIMIT]}…"
