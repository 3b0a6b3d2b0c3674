"""A case of the fault lab as a value: what is broken, how, and what has to become of it.

A file in `cases/` named STAGE_NAME.py exports `CASE`; that is all that it takes to join the lab.
"""

from __future__ import annotations

__all__ = ["Case", "Expected", "Strikes", "load_cases", "nothing"]

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bed import Lab

CASES = Path(__file__).parent / "cases"
Expected = Literal["healed", "escalated", "prevented", "nothing to do"]
"""All is proved again; a person is asked, nothing got worse; the fault can't reach a stack; nobody must act."""
Strikes = Literal["deployment", "run time"]


def nothing(_: Lab) -> None:
    """Do nothing: what the next `up` mends by itself needs no restoring."""


def never(_: Lab) -> str:
    """Say that nothing is broken."""
    return ""


@dataclass(frozen=True)
class Case:
    """One fault."""

    id: str
    """STAGE-name, as the file is called."""
    title: str
    rows: tuple[str, ...]
    """The rows of the catalogue that it stands for: U14, F51."""
    strikes: Strikes
    expected: Expected
    inject: Callable[[Lab], None]
    """Break it, with a real fault."""
    broken: Callable[[Lab], str] = never
    """What is wrong, looked at on a way of its own; empty once it is mended. A fault that only shows in a deployment
    has nothing to look at before it."""
    restore: Callable[[Lab], None] = nothing
    """Take the fault itself away; the bed brings the stack back afterwards."""
    unharmed: Callable[[Lab], str] = never
    """Say what of others, that the injector brought along, has come to harm; empty where nothing has."""
    causes: tuple[str, ...] = ()
    """The cause codes of which one has to be named as the root; none where nothing is to be named."""
    role: str = ""
    """Who has to be asked where it is escalated."""
    watched: bool = False
    """Whether `greenroom watch` has to notice it by itself; otherwise a person types `greenroom heal`."""
    shows_within_s: float = 0.0
    """How long it takes until the fault is there, after the injector has done its part."""
    disturbs: frozenset[str] = frozenset()
    """What the fault itself changes of that which must never change; see `judge.Snapshot`."""
    still_serves: bool = False
    """Whether the old release has to go on answering where a deployment fails. What strikes at run time is held against
    what it left: a name that still answered after the injection has to answer in the end."""
    fast: bool = False
    """Whether it is among the few that run with every change."""

    @property
    def stage(self) -> str:
        """The stage of a deployment that it belongs to."""
        return self.id.partition("-")[0]


def load_cases(wanted: Sequence[str] = (), *, fast: bool = False) -> list[Case]:
    """Load the cases, in the order of their files; LookupError for an id that there is not."""
    cases = [_load(path) for path in sorted(CASES.glob("[a-z]*.py"))]
    known = {case.id for case in cases}
    if unknown := sorted(set(wanted) - known):
        raise LookupError(f"there is no case {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [case for case in cases if (not wanted or case.id in wanted) and (case.fast or not fast)]


def _load(path: Path) -> Case:
    spec = importlib.util.spec_from_file_location(f"faults_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASE
