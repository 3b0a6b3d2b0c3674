"""Deleting what is no longer wanted: at the end of an update, and all there is in a destroy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from localcloud.engine.control import Stopped
from localcloud.engine.dependents import Graph
from localcloud.engine.planning import Action

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from localcloud.engine.events import StepOperation
    from localcloud.engine.execution import Executor
    from localcloud.engine.run import Run
    from localcloud.engine.state import ResourceState


def leftovers(resources: Sequence[ResourceState], registered: Collection[str]) -> list[ResourceState]:
    """Return what is to go: entries marked for deletion, and those whose urn nothing has claimed."""
    return [entry for entry in resources if entry.delete or entry.urn not in registered]


def operation_for(entry: ResourceState) -> StepOperation:
    """Return what happens to a leftover."""
    if entry.external:
        return "discard-replaced" if entry.delete else "discard"
    return "delete-replaced" if entry.delete else "delete"


def delete_in_waves(run: Run, executor: Executor, condemned: Sequence[ResourceState]) -> None:
    """Delete, dependents first; a wave is finished before the next one starts.

    A failed delete lets its wave finish and ends the run, which is on record in the run's control. Entries that wait
    for a replacement have been deleted already and are only forgotten.
    """
    waves = Graph(run.base.resources).waves(condemned)
    executor.condemn({entry.urn for entry in condemned})
    for wave in waves:
        if run.control.is_stopping:
            return
        for entry in wave:
            if entry.pending_replacement:
                run.journal.drop(entry)
        actions = [Action(operation_for(entry), entry) for entry in wave if not entry.pending_replacement]
        _delete_side_by_side(run, executor, actions)


def _delete_side_by_side(run: Run, executor: Executor, actions: Sequence[Action]) -> None:
    if len(actions) <= 1:
        for action in actions:
            _delete_one(executor, action)
        return
    with ThreadPoolExecutor(min(len(actions), run.parallel)) as pool:
        for future in [pool.submit(_delete_one, executor, action) for action in actions]:
            future.result()


def _delete_one(executor: Executor, action: Action) -> None:
    try:
        executor.execute([action], despite_failure=True)
    except Stopped:
        return
