"""An embedded Pulumi engine: runs Pulumi Python programs over the published protocol, without the CLI.

It serves the SDK's ResourceMonitor and Engine services, starts providers as plugin processes, and keeps its state in
the DIY file backend's own layout and secrets format, so that the CLI can take a stack over at any time and give it
back. What it does not support it refuses by name.
"""

from __future__ import annotations

from localcloud.engine.engine import Engine
from localcloud.engine.errors import (
    CancelledError,
    EngineError,
    LockedError,
    PassphraseError,
    ProjectError,
    StackNotEmptyError,
    StackNotFoundError,
    StateError,
    UnsupportedError,
)
from localcloud.engine.events import (
    Diagnostic,
    Event,
    Finished,
    ProgramStarted,
    PropertyDiff,
    Result,
    Step,
    StepFinished,
    StepPlanned,
    StepStarted,
)
from localcloud.engine.project import Project
from localcloud.engine.state import ResourceState

__all__ = [
    "CancelledError",
    "Diagnostic",
    "Engine",
    "EngineError",
    "Event",
    "Finished",
    "LockedError",
    "PassphraseError",
    "ProgramStarted",
    "Project",
    "ProjectError",
    "PropertyDiff",
    "ResourceState",
    "Result",
    "StackNotEmptyError",
    "StackNotFoundError",
    "StateError",
    "Step",
    "StepFinished",
    "StepPlanned",
    "StepStarted",
    "UnsupportedError",
]
