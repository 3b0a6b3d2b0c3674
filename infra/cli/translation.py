"""Translates the official engine's events into the embedded engine's vocabulary."""

from __future__ import annotations

__all__ = ["Translator"]

import re
import time
from typing import TYPE_CHECKING, Any, cast

from localcloud.engine.differences import changed_paths, describe
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
from localcloud.engine.values import MASK, SECRET, SIGNATURE, UNKNOWN_SENTINELS, Unknown, masked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi.automation.events import EngineEvent, StepEventMetadata

SEVERITIES: dict[str, Severity] = {"debug": "debug", "info": "info", "info#err": "info", "warning": "warning"}
REFRESH = "refresh"
COMPARED = {"update", "replace"}
ITEM = re.compile(r"\[\d+\]")
"""Where a property path goes into a list."""
UNSEEN = "secret value"
"""What is named where it can't be known which of a resource's secrets is another one."""
KINDS = {
    "addReplace": "add-replace",
    "add-replace": "add-replace",
    "deleteReplace": "delete-replace",
    "delete-replace": "delete-replace",
    "updateReplace": "update-replace",
    "update-replace": "update-replace",
}


class Translator:
    """Takes engine events, hands their translations on, and keeps what a result is made of.

    The CLI begins a read as `refresh` and ends it as what it found: `same`, `update` or `delete`. Where that is not
    the run's whole purpose (`only_reads`) but the first part of an update, the step stays a `refresh`.
    """

    def __init__(self, began: float, on_event: Callable[[Event], None], *, only_reads: bool = False) -> None:
        self._began, self._on_event, self._only_reads = began, on_event, only_reads
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
            if _is_default_provider(metadata):
                return
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
        if _is_default_provider(metadata):
            return
        read_since = self._since.pop((REFRESH, metadata.urn), None)
        is_read = read_since is not None
        began = read_since if is_read else self._since.pop((metadata.op, metadata.urn), at)
        step = self._step(metadata, seconds=at - began, failed=failed, is_read=is_read)
        if (step.op, step.urn, failed) in self._finished:
            return  # a component is heard of again when it registers its outputs
        self._finished.add((step.op, step.urn, failed))
        self.steps.append(step)
        self._on_event(StepFinished(at, step))

    def _step(
        self, metadata: StepEventMetadata, *, seconds: float = 0.0, failed: bool = False, is_read: bool = False
    ) -> Step:
        state = metadata.new or metadata.old
        operation = REFRESH if is_read and not self._only_reads else str(getattr(metadata.op, "value", metadata.op))
        return Step(
            urn=metadata.urn,
            type=metadata.type,
            name=name_of(metadata.urn),
            op=cast("StepOperation", operation),
            diff=_differences(metadata, is_read=is_read),
            seconds=seconds,
            failed=failed,
            id=str(state.id or "") if state else "",
            found=_shown(metadata.new.outputs or {}) if is_read and metadata.new and not failed else None,
        )


def _is_default_provider(metadata: StepEventMetadata) -> bool:
    """Say whether it is a provider that the program does not declare; the CLI's own summary leaves those out, too."""
    return metadata.type.startswith("pulumi:providers:") and name_of(metadata.urn).startswith("default")


def _differences(metadata: StepEventMetadata, *, is_read: bool) -> tuple[PropertyDiff, ...]:
    """Give the properties that differ, with their values where the event carries them.

    A path leads into what came of the resource, or into what it was given where the difference is one of inputs; on
    the new side into what it is given, after a read into what came of it.
    """
    if not (metadata.detailed_diff or metadata.diffs):
        return _compared(metadata, is_read=is_read) if metadata.op in COMPARED else ()
    detailed = metadata.detailed_diff or dict.fromkeys(metadata.diffs or [])
    news = _values(metadata.new, given=not is_read)
    found: dict[str, PropertyDiff] = {}
    for path, each in detailed.items():
        kind = str(getattr(each.diff_kind, "value", each.diff_kind)) if each else "update"
        kind = KINDS.get(kind, kind)
        olds = _values(metadata.old, given=bool(each and each.input_diff))
        change = PropertyDiff(path, kind, _at(olds, path), _at(news, path))
        if ITEM.search(path):
            change = _items(change, _values(metadata.old, given=not is_read), news)
        found[change.path] = change
    return tuple(found.values())


def _items(change: PropertyDiff, olds: Mapping[str, Any], news: Mapping[str, Any]) -> PropertyDiff:
    """Give a list's items that went and that came: plugins number a set's items in an order of their own."""
    where = ITEM.split(change.path, maxsplit=1)[0]
    old, new = _at(olds, where) or [], _at(news, where) or []
    went, came = [each for each in old if each not in new], [each for each in new if each not in old]
    if not (went or came):
        return change
    return PropertyDiff(where, "update-replace" if change.kind.endswith("replace") else "update", went, came)


def _compared(metadata: StepEventMetadata, *, is_read: bool) -> tuple[PropertyDiff, ...]:
    """Find what differs where the provider says no more than that something does: of a read in what came of it.

    Events mask secrets, so one that changed looks as before. Where nothing else differs, and nothing that a look had
    found explains the update, it must be one of them.
    """
    side = "outputs" if is_read else "inputs"
    old, new = (_shown(getattr(state, side, None) or {}) for state in (metadata.old, metadata.new))
    changes = describe(changed_paths(old, new), old, new)
    found_before = (metadata.old.outputs or {}).get("findings") if metadata.old else None
    if changes or is_read or found_before or not _has_secret(new):
        return changes
    return (PropertyDiff(UNSEEN, "update", MASK, MASK),)


def _values(state: Any, *, given: bool) -> Mapping[str, Any]:
    """Merge what a resource was given with what came of it; `given` says which of the two decides."""
    if not state:
        return {}
    inputs, outputs = _shown(state.inputs or {}), _shown(state.outputs or {})
    return {**outputs, **inputs} if given else {**inputs, **outputs}


def _shown(value: Any) -> Any:
    """Give a value of an event the embedded engine's marks for what is secret and what is not known yet."""
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        if mapping.get(SIGNATURE) == SECRET:
            return MASK
        return {key: _shown(each) for key, each in mapping.items()}
    if isinstance(value, list):
        return [_shown(each) for each in cast("list[Any]", value)]
    return masked(Unknown()) if isinstance(value, str) and value in UNKNOWN_SENTINELS else value


def _has_secret(value: Any) -> bool:
    """Say whether anything in a shown value is masked."""
    if isinstance(value, dict):
        return any(_has_secret(each) for each in cast("dict[str, Any]", value).values())
    return any(map(_has_secret, cast("list[Any]", value))) if isinstance(value, list) else value == MASK


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
