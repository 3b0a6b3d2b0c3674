"""Translates the official engine's events into the embedded engine's vocabulary."""

from __future__ import annotations

__all__ = ["Translator"]

import time
from typing import TYPE_CHECKING, Any, cast

from localcloud.engine.events import (
    PHYSICAL_HALVES,
    Diagnostic,
    Event,
    PropertyDiff,
    Severity,
    Step,
    StepFinished,
    StepOperation,
    StepPlanned,
    StepStarted,
)
from localcloud.engine.urn import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi.automation.events import EngineEvent, StepEventMetadata

SEVERITIES: dict[str, Severity] = {"debug": "debug", "info": "info", "info#err": "info", "warning": "warning"}
KINDS = {
    "addReplace": "add-replace",
    "add-replace": "add-replace",
    "deleteReplace": "delete-replace",
    "delete-replace": "delete-replace",
    "updateReplace": "update-replace",
    "update-replace": "update-replace",
}


class Translator:
    """Takes engine events, hands their translations on, and keeps what a result is made of."""

    def __init__(self, began: float, on_event: Callable[[Event], None]) -> None:
        self._began, self._on_event = began, on_event
        self._since: dict[tuple[str, str], float] = {}
        self._finished: set[tuple[str, str, bool]] = set()
        self.steps: list[Step] = []
        self.diagnostics: list[Diagnostic] = []
        self.cancelled = False

    @property
    def changes(self) -> dict[str, int]:
        """Count the steps by what they did, each replacement once."""
        counted: dict[str, int] = {}
        for step in self.steps:
            if step.op not in PHYSICAL_HALVES and not step.failed:
                counted[step.op] = counted.get(step.op, 0) + 1
        return counted

    def __call__(self, event: EngineEvent) -> None:
        """Take one event."""
        at = time.time() - self._began
        if event.resource_pre_event:
            metadata = event.resource_pre_event.metadata
            self._since[metadata.op, metadata.urn] = at
            step = self._step(metadata)
            planned = bool(getattr(event.resource_pre_event, "planning", False))
            self._on_event(StepPlanned(at, step) if planned else StepStarted(at, step))
        elif event.res_outputs_event:
            self._finish(at, event.res_outputs_event.metadata, failed=False)
        elif event.res_op_failed_event:
            self._finish(at, event.res_op_failed_event.metadata, failed=True)
        elif event.diagnostic_event and not event.diagnostic_event.ephemeral:
            said = event.diagnostic_event
            self.tell(SEVERITIES.get(said.severity, "error"), said.message, said.urn or "")
        elif event.cancel_event:
            # Sent at the end of every run; it tells of an interruption only where the run then failed by itself.
            self.cancelled = any("cancel" in each.message.lower() for each in self.diagnostics)

    def tell(self, severity: Severity, message: str, urn: str = "") -> None:
        """Pass a diagnostic on and keep it."""
        diagnostic = Diagnostic(time.time() - self._began, severity, message, urn)
        self.diagnostics.append(diagnostic)
        self._on_event(diagnostic)

    def _finish(self, at: float, metadata: StepEventMetadata, *, failed: bool) -> None:
        began = self._since.pop((metadata.op, metadata.urn), at)
        step = self._step(metadata, seconds=at - began, failed=failed)
        if (step.op, step.urn, failed) in self._finished:
            return  # a component is heard of again when it registers its outputs
        self._finished.add((step.op, step.urn, failed))
        self.steps.append(step)
        self._on_event(StepFinished(at, step))

    def _step(self, metadata: StepEventMetadata, *, seconds: float = 0.0, failed: bool = False) -> Step:
        state = metadata.new or metadata.old
        return Step(
            urn=metadata.urn,
            type=metadata.type,
            name=name_of(metadata.urn),
            op=cast("StepOperation", str(getattr(metadata.op, "value", metadata.op))),
            diff=tuple(_differences(metadata)),
            seconds=seconds,
            failed=failed,
            id=str(state.id or "") if state else "",
            found=dict(metadata.new.outputs or {}) if metadata.op == "refresh" and metadata.new else None,
        )


def _differences(metadata: StepEventMetadata) -> list[PropertyDiff]:
    """Give the properties that differ, with their values where the event carries them."""
    olds = _values(metadata.old)
    news = _values(metadata.new)
    detailed = metadata.detailed_diff or dict.fromkeys(metadata.diffs or [])
    found: list[PropertyDiff] = []
    for path, each in detailed.items():
        kind = str(getattr(each.diff_kind, "value", each.diff_kind)) if each else "update"
        found.append(PropertyDiff(path, KINDS.get(kind, kind), _at(olds, path), _at(news, path)))
    return found


def _values(state: Any) -> Mapping[str, Any]:
    """Merge what a resource was given with what came of it; secrets are masked in events."""
    return {**(state.outputs or {}), **(state.inputs or {})} if state else {}


def _at(values: Mapping[str, Any], path: str) -> Any:
    """Follow a property path; None where it leads nowhere."""
    value: Any = values
    for part in path.replace("[", ".").replace("]", "").replace('"', "").split("."):
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value).get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[int(part)]
        else:
            return None
    return value
