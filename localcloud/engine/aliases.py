"""Under which other urns a resource may be found in the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.engine import urn as urns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.engine.goal import AliasSpec, Goal


def candidates(goal: Goal, stack: str, project: str, moved: Mapping[str, str]) -> list[str]:
    """Return the urns to look under, in order; `moved` maps urns of this run to the old ones they matched."""
    own = urns.build(stack, project, goal.parent, goal.type, goal.name)
    found: dict[str, None] = {}
    for spec in goal.aliases:
        for parent in _parents(spec, goal, moved):
            found[_resolve(spec, goal, stack, project, parent)] = None
    old_parent = moved.get(goal.parent)
    if old_parent:
        for kind, name in [(goal.type, goal.name), *(_parts(urn) for urn in list(found))]:
            found[_inherited(kind, name, urns.name_of(goal.parent), old_parent)] = None
    found.pop(own, None)
    return list(found)


def _parents(spec: AliasSpec, goal: Goal, moved: Mapping[str, str]) -> list[str]:
    """Return the parents an alias may mean; a parent that has moved itself is also looked under its old urn."""
    if spec.no_parent:
        return [""]
    parent = spec.parent or goal.parent
    return [parent, moved[parent]] if parent in moved else [parent]


def _resolve(spec: AliasSpec, goal: Goal, stack: str, project: str, parent: str) -> str:
    if spec.urn:
        return spec.urn
    return urns.build(
        spec.stack or stack, spec.project or project, parent, spec.type or goal.type, spec.name or goal.name
    )


def _parts(urn: str) -> tuple[str, str]:
    parsed = urns.parse(urn)
    return parsed.type, parsed.name


def _inherited(kind: str, name: str, parent_name: str, old_parent: str) -> str:
    """Return where a child was under its parent's old urn; the parent's name as a prefix is swapped for the old one."""
    old = urns.parse(old_parent)
    if name.startswith(parent_name):
        name = old.name + name[len(parent_name) :]
    return urns.build(old.stack, old.project, old_parent, kind, name)
