"""Who depends on whom among the entries of a state. A reference means the nearest entry before it in state order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.engine.urn import split_reference
from localcloud.engine.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from localcloud.engine.state import ResourceState
    from localcloud.engine.values import PropertyMap


class Graph:
    """The direct dependencies of every entry of a state."""

    def __init__(self, resources: Sequence[ResourceState]) -> None:
        self.resources = resources
        self.needs: dict[ResourceState, set[ResourceState]] = {}
        latest: dict[str, ResourceState] = {}
        providers: dict[str, ResourceState] = {}
        for entry in resources:
            found = {latest[urn] for urn in entry.referenced_urns() if urn in latest}
            if entry.provider in providers:
                found.discard(latest[split_reference(entry.provider)[0]])
                found.add(providers[entry.provider])
            self.needs[entry] = found
            latest[entry.urn] = entry
            providers[entry.reference] = entry

    def waves(self, condemned: Iterable[ResourceState]) -> list[list[ResourceState]]:
        """Order deletions: each wave holds what no other condemned entry that is left depends on."""
        left = dict.fromkeys(condemned)
        result: list[list[ResourceState]] = []
        while left:
            needed = {need for entry in left for need in self.needs.get(entry, ())}
            wave = [entry for entry in left if entry not in needed]
            if not wave:
                raise ValueError("The state's dependencies form a cycle")
            result.append(wave)
            for entry in wave:
                del left[entry]
        return result

    def dependents(self, root: ResourceState) -> list[ResourceState]:
        """Return all that depends on an entry, directly or not, in state order; children as such do not count."""
        reached = {root}
        result: list[ResourceState] = []
        for entry in self.resources:
            bound = {need for need in self.needs[entry] if need.urn != entry.parent or _is_bound(entry, need)}
            if entry not in reached and bound & reached:
                reached.add(entry)
                result.append(entry)
        return result


def _is_bound(entry: ResourceState, need: ResourceState) -> bool:
    """Say whether an entry needs its parent for more than being its parent."""
    return (
        need.urn in entry.dependencies
        or any(need.urn in urns for urns in entry.property_dependencies.values())
        or need.urn == entry.deleted_with
        or need.reference == entry.provider
    )


def condemned_dependents(
    root: ResourceState,
    resources: Sequence[ResourceState],
    registered: Collection[str],
    would_replace: Callable[[ResourceState, PropertyMap], bool],
) -> list[ResourceState]:
    """Return what has to be deleted before `root` can be, in state order.

    A dependent is condemned if its provider or its deletedWith is, or if its Diff says replace once the inputs that a
    condemned resource feeds are unknown. Depending on a resource without using its properties condemns nobody, and
    what has been `registered` already has done so without it.
    """
    condemned = {root.urn}
    result: list[ResourceState] = []
    for entry in Graph(resources).dependents(root):
        is_settled = entry.external or entry.delete or entry.pending_replacement or entry.urn in registered
        if is_settled or not entry.custom:
            continue
        if split_reference(entry.provider)[0] in condemned or entry.deleted_with in condemned:
            must_go = True
        else:
            inputs = _with_unknowns(entry, condemned)
            must_go = inputs is not None and would_replace(entry, inputs)
        if must_go:
            condemned.add(entry.urn)
            result.append(entry)
    return result


def _with_unknowns(entry: ResourceState, condemned: set[str]) -> PropertyMap | None:
    """Return the inputs with those fed by condemned resources unknown; None when there is none."""
    fed = {key for key, urns in entry.property_dependencies.items() if condemned.intersection(urns)}
    if not fed & set(entry.inputs):
        return None
    return {key: UNKNOWN if key in fed else value for key, value in entry.inputs.items()}
