"""Deciding what a registration means: the pure half of it.

Here are the questions that need no provider: what the new entry looks like, which options are inherited, whether a
provider's opinion amounts to a replacement, and what to show of it. Nothing in here has an effect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localcloud.engine import paths, values
from localcloud.engine import urn as urns
from localcloud.engine.clients import Diff
from localcloud.engine.differences import changed_paths, describe
from localcloud.engine.state import ResourceState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.engine.events import PropertyDiff, StepOperation
    from localcloud.engine.goal import Goal
    from localcloud.engine.values import PropertyMap

INIT_ERROR = "#initerror"


@dataclass(eq=False, slots=True)
class Action:
    """One step to be executed: an operation with the entry it starts from and the one it leads to."""

    op: StepOperation
    old: ResourceState | None = None
    new: ResourceState | None = None
    diff: tuple[PropertyDiff, ...] = ()
    deletes_first: bool = False
    """Whether it belongs to a delete-before-replace."""

    @property
    def entry(self) -> ResourceState:
        """The entry that names the step."""
        found = self.new or self.old
        assert found is not None  # noqa: S101 - every action has one of the two
        return found


def inherit(goal: Goal, parent: Goal | None) -> Goal:
    """Fill in what the goal leaves open from its parent's registration."""
    if parent is None:
        return goal
    return replace(
        goal,
        protect=goal.protect if goal.protect is not None else parent.protect,
        retain_on_delete=goal.retain_on_delete if goal.retain_on_delete is not None else parent.retain_on_delete,
        deleted_with=goal.deleted_with or parent.deleted_with,
    )


def entry_of(goal: Goal, urn: str, provider: str, inputs: PropertyMap) -> ResourceState:
    """Return the entry a goal asks for, before any step has given it an id and outputs."""
    return ResourceState(
        urn=urn,
        custom=goal.custom,
        type=goal.type,
        inputs=inputs,
        parent=goal.parent,
        protect=bool(goal.protect),
        dependencies=sorted(goal.dependencies),
        provider=provider,
        property_dependencies={key: sorted(set(found)) for key, found in goal.property_dependencies.items()},
        additional_secret_outputs=list(goal.additional_secret_outputs),
        custom_timeouts=dict(goal.custom_timeouts),
        retain_on_delete=bool(goal.retain_on_delete),
        deleted_with=goal.deleted_with,
        replacement_trigger=goal.replacement_trigger,
        source_position=goal.source_position,
        ignore_changes=list(goal.ignore_changes),
        hide_diff=list(goal.hide_diff),
        replace_on_changes=list(goal.replace_on_changes),
    )


def without_ignored(inputs: PropertyMap, old: PropertyMap, ignored: Sequence[str]) -> PropertyMap:
    """Reset each ignored path to its old value. Raises ValueError for a malformed path."""
    for text in ignored:
        inputs = paths.reset(inputs, old, paths.parse(text))
    return inputs


def compared(diff: Diff, old: ResourceState, inputs: PropertyMap) -> Diff:
    """Settle a provider's "unknown" by comparing inputs, and say which keys differ if the provider did not."""
    if diff.changes == "unknown":
        diff = replace(diff, changes="none" if values.equal(old.inputs, inputs) else "some")
    if diff.changes == "some" and not diff.detailed:
        found = {paths.render(path): kind for path, kind in found_changes(old, inputs)}
        diff = replace(diff, detailed=found or dict.fromkeys(diff.keys, "update"))
    return diff


def found_changes(old: ResourceState, inputs: PropertyMap) -> list[tuple[paths.Path, str]]:
    """Compare inputs; where they are equal, compare what is (the outputs) with what is wanted."""
    changes = changed_paths(old.inputs, inputs)
    if changes:
        return changes
    common = [key for key in inputs if key in old.outputs]
    return changed_paths({key: old.outputs[key] for key in common}, {key: inputs[key] for key in common})


def with_forced_keys(diff: Diff, patterns: Sequence[str], *, has_init_errors: bool) -> Diff:
    """Turn changed keys that replaceOnChanges names into reasons for a replacement."""
    wanted = [paths.parse(text) for text in patterns if text != INIT_ERROR]
    forced: dict[str, None] = dict.fromkeys(diff.replaces)
    if diff.changes == "some":
        for key in (*diff.detailed, *diff.keys):
            if any(paths.matches(pattern, paths.parse(key)) for pattern in wanted):
                forced[key] = None
    if has_init_errors and INIT_ERROR in patterns:
        return replace(diff, changes="some", replaces=(*forced, INIT_ERROR))
    return replace(diff, replaces=tuple(forced))


def forced(key: str) -> Diff:
    """Return the opinion that something outside of the inputs forces a replacement."""
    return Diff("some", replaces=(key,))


def shown(diff: Diff, old: ResourceState, new: ResourceState) -> tuple[PropertyDiff, ...]:
    """Return the diff for display; keys that force the replacement are marked so."""
    kinds: dict[str, str] = dict(diff.detailed)
    for key in diff.replaces:
        kind = kinds.get(key, "update")
        kinds[key] = kind if kind.endswith("-replace") else f"{kind}-replace"
    before = {**old.outputs, **old.inputs}
    if not changed_paths(old.inputs, new.inputs):
        before = {**old.inputs, **old.outputs}
    entries = [((key,) if key == INIT_ERROR else paths.parse(key), kind) for key, kind in kinds.items()]
    return describe(entries, before, new.inputs, new.hide_diff)


def settled(new: ResourceState, outputs: PropertyMap) -> PropertyMap:
    """Return outputs with every secret mark that the options and the same-named inputs call for."""
    keys = {key for key, value in new.inputs.items() if isinstance(value, values.Secret)}
    return values.mark_keys(values.remark(outputs, new.inputs), frozenset(keys | set(new.additional_secret_outputs)))


def kept(old: ResourceState, new: ResourceState) -> ResourceState:
    """Return the entry of a resource that stays the same: new options and inputs, old identity and outputs."""
    return new.changed(
        id=old.id,
        outputs=settled(new, old.outputs) if new.custom else old.outputs,
        created=old.created,
        modified=old.modified,
        import_id=old.import_id,
        init_errors=old.init_errors,
    )


def may_share(provider: str, package: str) -> bool:
    """Say whether a provider reference is of the package."""
    urn, _ = urns.split_reference(provider)
    return urns.package_of(urns.type_of(urn)) == package
