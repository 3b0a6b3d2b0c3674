"""What a run tells its caller: steps, events while it goes, and the result at its end.

All are frozen values fit for display: secrets are masked before they get here. `at` is seconds since the run began.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Operation = Literal["preview", "update", "refresh", "destroy"]
StepOperation = Literal[
    "same",
    "create",
    "update",
    "delete",
    "replace",
    "create-replacement",
    "delete-replaced",
    "read",
    "read-replacement",
    "discard",
    "discard-replaced",
    "import",
    "import-replacement",
    "refresh",
]
Severity = Literal["debug", "info", "warning", "error"]

PHYSICAL_HALVES = frozenset({"create-replacement", "delete-replaced", "read-replacement", "discard-replaced"})
"""Steps that are one half of a `replace` and not counted on their own."""


@dataclass(frozen=True, slots=True)
class PropertyDiff:
    """One property that differs; `kind` is add, update or delete, with `-replace` when it forces a replacement."""

    path: str
    kind: str
    old: Any = None
    new: Any = None


@dataclass(frozen=True, slots=True)
class Step:
    """One planned or finished act on one resource."""

    urn: str
    type: str
    name: str
    op: StepOperation
    diff: tuple[PropertyDiff, ...] = ()
    seconds: float = 0.0
    failed: bool = False
    id: str = ""
    found: Mapping[str, Any] | None = field(default=None, repr=False)
    """What a refresh read, whether it differs or not; None for all other steps and for what is gone."""


@dataclass(frozen=True, slots=True)
class ProgramStarted:
    """The program has been launched."""

    at: float


@dataclass(frozen=True, slots=True)
class StepPlanned:
    """A step has been decided; in a preview this is all that happens to it."""

    at: float
    step: Step


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step has begun."""

    at: float
    step: Step


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step has ended, well or not; `step.failed` tells."""

    at: float
    step: Step


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Something to read: from the engine, the program or a provider."""

    at: float
    severity: Severity
    message: str
    urn: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended."""

    operation: Operation
    succeeded: bool
    changes: dict[str, int]
    steps: list[Step]
    outputs: dict[str, Any]
    diagnostics: list[Diagnostic]
    seconds: float
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over."""

    at: float
    result: Result = field(repr=False)


Event = ProgramStarted | StepPlanned | StepStarted | StepFinished | Diagnostic | Finished
