"""What differs between two property maps, and how to show it.

Providers may say in detail what differs; when they do not, the engine finds it by comparing values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.engine import paths
from localcloud.engine.events import PropertyDiff
from localcloud.engine.values import MASK, Secret, contains_secret, equal, masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

INTERNAL_KEYS = frozenset({"__internal", "__defaults", "__meta", "__pulumi_raw_state_delta"})


def changed_paths(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[paths.Path, str]]:
    """Return (path, kind) of every leaf that differs, without regard to secret marks."""
    return list(_walk((), dict(old), dict(new)))


def _walk(path: paths.Path, old: Any, new: Any) -> Iterator[tuple[paths.Path, str]]:
    old, new = _bare(old), _bare(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if path or key not in INTERNAL_KEYS:
                yield from _member((*path, key), paths.get(old, key), paths.get(new, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _member((*path, index), paths.get(old, index), paths.get(new, index))
    elif not equal(old, new):
        yield path, "update"


def _member(path: paths.Path, old: Any, new: Any) -> Iterator[tuple[paths.Path, str]]:
    if old is paths.MISSING:
        yield path, "add"
    elif new is paths.MISSING:
        yield path, "delete"
    else:
        yield from _walk(path, old, new)


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, Secret) else value


def describe(
    entries: Iterable[tuple[paths.Path, str]],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    hidden: Iterable[str] = (),
) -> tuple[PropertyDiff, ...]:
    """Turn changed paths into display values, looked up in `old` and `new`; hidden paths show no values."""
    patterns = [paths.parse(text) for text in hidden]
    return tuple(_describe_one(path, kind, old, new, patterns) for path, kind in entries)


def _describe_one(
    path: paths.Path, kind: str, old: Mapping[str, Any], new: Mapping[str, Any], patterns: list[paths.Path]
) -> PropertyDiff:
    if any(paths.matches(pattern, path) for pattern in patterns):
        return PropertyDiff(paths.render(path), kind, "[hidden]", "[hidden]")
    before, after = _show(old, path), _show(new, path)
    if MASK in (before, after):
        before, after = (None if side is None else MASK for side in (before, after))
    return PropertyDiff(paths.render(path), kind, before, after)


def _show(value: Any, path: paths.Path) -> Any:
    """Return what stands at the path, masked when it or anything around it is secret; None where nothing is."""
    for part in path:
        if isinstance(value, Secret):
            return MASK
        value = paths.get(value, part)
        if value is paths.MISSING:
            return None
    return MASK if contains_secret(value) and not isinstance(value, (dict, list)) else masked(value)
