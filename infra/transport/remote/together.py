"""Acts side by side, where none needs what another one makes."""

from __future__ import annotations

__all__ = ["together_act"]


from infra.transport.remote import verbs
from infra.transport.remote.threads import side_by_side

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from infra.transport.remote.report import Reporter


def together_act(act: dict[str, Any], report: Reporter) -> None:
    """Perform several acts side by side; the first failure counts, after all have ended."""
    side_by_side(lambda each: verbs.act(each, report), act["acts"], at_once=len(act["acts"]))
