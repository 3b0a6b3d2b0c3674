"""Diff: recorded state against the inputs that are wanted.

A pure function of the outputs and the checked inputs, so what a refresh observed is what the next run corrects. A
property that the program leaves out is a difference only where the API would not choose a value of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from localcloud.provider.checks import DEFAULTS
from localcloud.provider.states import canonical, recorded_value
from localcloud.provider.values import Properties, holds_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.provider.table import Property, Shape

Kind = Literal["add", "delete", "update"]


@dataclass(frozen=True)
class Change:
    """One property that differs."""

    path: str
    """As Pulumi writes it: `inboundRules[1].portRange`."""
    kind: Kind
    replace: bool

    @property
    def name(self) -> str:
        """The resource's property that the path begins with."""
        return self.path.split("[", 1)[0].split(".", 1)[0]


class _Compared(Protocol):
    """What a diff asks a resource type for: see `localcloud.provider.resources.base.Resource`."""

    @property
    def shape(self) -> Shape: ...
    def strays(self, state: Properties) -> tuple[str, ...]: ...
    def is_same(self, name: str, have: Any, want: Any, wanted: Properties) -> bool: ...
    def must_replace(self, name: str, have: Any, want: Any) -> bool: ...


def differences(resource: _Compared, state: Properties, wanted: Properties) -> list[Change]:
    """List what differs between recorded outputs and checked inputs."""
    changes = [Change(name, "update", replace=False) for name in resource.strays(state)]
    for name, item in resource.shape.inputs.items():
        have, want = state.get(name), wanted.get(name)
        if want is None and item.computed:
            continue
        if resource.is_same(name, have, want, wanted):
            continue
        replace = resource.must_replace(name, have, want)
        changes += [Change(path, kind, replace) for path, kind in _detail(name, item, have, want)]
    return changes


def changed_names(resource: _Compared, state: Properties, wanted: Properties) -> frozenset[str]:
    """Name the resource's properties that differ."""
    return frozenset(change.name for change in differences(resource, state, wanted))


def deletes_first(resource: _Compared, wanted: Properties) -> bool:
    """Whether a replacement must delete first: its name was given by the program and may be taken by the old one.

    The official provider says so for a changed name, too, and so does this one.
    """
    filled = wanted.get(DEFAULTS)
    return isinstance(filled, list) and any(
        item.autoname and name not in filled and name in wanted for name, item in resource.shape.inputs.items()
    )


def _detail(path: str, item: Property, have: Any, want: Any) -> Iterator[tuple[str, Kind]]:
    old, new = canonical(item, have), canonical(item, recorded_value(item, want))
    if new is None:
        yield path, "delete"
    elif old is None:
        yield path, "add"
    elif isinstance(have, list) and isinstance(want, list) and item.items is not None:
        lists = cast("list[Any]", have), cast("list[Any]", want)
        yield from _members(path, item.items, *lists) if item.is_set else _places(path, item.items, *lists)
    elif isinstance(have, dict) and isinstance(want, dict) and item.shape is not None:
        for name, member in item.shape.inputs.items():
            values = cast("Properties", have).get(name), cast("Properties", want).get(name)
            if canonical(member, values[0]) != canonical(member, recorded_value(member, values[1])):
                yield from _detail(f"{path}.{name}", member, *values)
    else:
        yield path, "update"


def _members(path: str, item: Property, have: list[Any], want: list[Any]) -> Iterator[tuple[str, Kind]]:
    old = [canonical(item, each) for each in have]
    new = [canonical(item, recorded_value(item, each)) for each in want]
    gone = {index for index, each in enumerate(old) if each not in new}
    come = {index for index, each in enumerate(new) if each not in old or holds_unknown(each)}
    for index in sorted(gone | come):
        kind: Kind = "update" if index in gone and index in come else "delete" if index in gone else "add"
        yield f"{path}[{index}]", kind


def _places(path: str, item: Property, have: list[Any], want: list[Any]) -> Iterator[tuple[str, Kind]]:
    for index in range(max(len(have), len(want))):
        old = have[index] if index < len(have) else None
        new = want[index] if index < len(want) else None
        if canonical(item, old) != canonical(item, recorded_value(item, new)):
            yield from _detail(f"{path}[{index}]", item, old, new)
