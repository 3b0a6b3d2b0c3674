"""Reading the world into the state: what a refresh does. The program does not run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from localcloud.engine import planning
from localcloud.engine import urn as urns
from localcloud.engine.backend import now_rfc3339
from localcloud.engine.control import Stopped
from localcloud.engine.differences import changed_paths, describe
from localcloud.engine.plugins import InitializationError, ProviderError
from localcloud.engine.providers import identify
from localcloud.engine.urn import split_reference
from localcloud.engine.values import equal, masked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.engine.events import PropertyDiff, StepOperation
    from localcloud.engine.run import Run
    from localcloud.engine.state import ResourceState


READS_AT_ONCE = 16
"""How many reads may wait for one provider, for each step that may run."""


def is_readable(entry: ResourceState) -> bool:
    """Say whether there is something in the world to compare the entry with."""
    return entry.custom and not urns.is_provider(entry.type) and not entry.pending_replacement


def refresh_all(run: Run, *, alone: bool = True) -> None:
    """Read every resource, side by side. A failed read fails the run, but stops no other read.

    A read waits more than it works, so each provider is asked much at a time: a host that is slow to answer holds up
    neither the cloud nor the next host.

    Where this is not `alone` but the first part of an update, the steps stay `refresh`, whatever they found.
    """
    # Last ones first: what depends on most is mostly what takes longest to ask.
    entries = [entry for entry in reversed(run.base.resources) if is_readable(entry)]
    with ExitStack() as stack:
        pools = {
            provider: stack.enter_context(ThreadPoolExecutor(READS_AT_ONCE * max(1, run.parallel)))
            for provider in {entry.provider for entry in entries}
        }
        futures = [(entry, pools[entry.provider].submit(_refresh_one, run, entry, alone=alone)) for entry in entries]
        gone = [entry for entry, future in futures if future.result()]
    if gone and not run.control.is_cancelled:
        _forget(run, gone)


def _refresh_one(run: Run, old: ResourceState, *, alone: bool) -> bool:
    """Read one resource; returns whether it is gone."""
    step = run.reporter.plan(old.urn, "refresh", identity=old.id)
    try:
        with run.control.step(despite_failure=True, counted=False):
            began = run.reporter.at
            run.reporter.start(step)
            try:
                new = _read(run, old)
                operation, diff = _outcome(run, old, new)
            except (ProviderError, OSError) as error:
                run.reporter.finish(step, failed=True, began=began)
                run.fail(f"refresh failed: {error}", old.urn)
                return False
            if new is not None:
                run.reporter.hide(new.outputs)
                if changed_paths(old.outputs, new.outputs) or not equal(old.inputs, new.inputs):
                    new.modified = now_rfc3339()
                run.journal.substitute(old, new)
            found = masked(new.outputs) if new is not None else None
            ended = replace(step, op=operation if alone else "refresh", diff=diff, found=found)
            run.reporter.finish(ended, failed=False, began=began)
            return new is None
    except Stopped:
        return False


def _read(run: Run, old: ResourceState) -> ResourceState | None:
    client = run.providers.client(old.provider)
    try:
        identity, inputs, outputs = client.read(identify(old), old.id, inputs=old.inputs, properties=old.outputs)
        errors: list[str] = []
    except InitializationError as error:
        identity, outputs, errors = error.identity, error.properties, error.reasons or [str(error)]
        inputs = error.inputs if error.inputs is not None else old.inputs
        run.reporter.say("warning", f"The resource was read, but is not right yet: {'; '.join(errors)}", old.urn)
    if not identity:
        return None
    new = old.changed(id=identity, inputs=inputs, init_errors=errors)
    new.outputs = planning.settled(new, outputs)
    return new


def _outcome(run: Run, old: ResourceState, new: ResourceState | None) -> tuple[StepOperation, tuple[PropertyDiff, ...]]:
    """Say what a read means: gone, changed or the same. The provider's Diff decides on what counts as a change."""
    if new is None:
        return "delete", ()
    changes = changed_paths(old.outputs, new.outputs)
    if not changes or old.external:
        return ("same" if not changes else "update"), describe(changes, old.outputs, new.outputs, old.hide_diff)
    opinion = run.providers.client(old.provider).diff(
        identify(old), new.id, old_inputs=new.inputs, olds=new.outputs, news=old.inputs
    )
    settled = planning.compared(opinion, new, old.inputs)
    if settled.changes == "none":
        return "same", ()
    return "update", describe(changes, old.outputs, new.outputs, old.hide_diff)


def _forget(run: Run, gone: Sequence[ResourceState]) -> None:
    """Drop what is gone, and every reference to it; its children go to its own parent."""
    heirs = {entry.urn: entry.parent for entry in gone if entry.is_live}
    dropped = set(gone)
    present = run.journal.snapshot().resources
    for entry, current in zip(run.base.resources, present, strict=True):
        if entry not in dropped and any(urn in heirs for urn in current.referenced_urns()):
            run.journal.substitute(entry, _pruned(current, heirs))
    for entry in gone:
        run.journal.drop(entry)


def _pruned(entry: ResourceState, heirs: dict[str, str]) -> ResourceState:
    parent = entry.parent
    while parent in heirs:
        parent = heirs[parent]
    return entry.changed(
        parent=parent,
        dependencies=[urn for urn in entry.dependencies if urn not in heirs],
        property_dependencies={
            key: [urn for urn in found if urn not in heirs] for key, found in entry.property_dependencies.items()
        },
        deleted_with="" if entry.deleted_with in heirs else entry.deleted_with,
        provider="" if split_reference(entry.provider)[0] in heirs else entry.provider,
    )
