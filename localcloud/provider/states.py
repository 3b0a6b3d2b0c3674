"""What state holds for an input, and when two values are the same.

Pure functions. State holds what the API says, in the API's spelling: slugs in lower case, a droplet's user data as its
SHA-1. Nothing, an empty text, an empty list, 0 and false are one value, as they are to the official provider.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, cast

from localcloud.provider.values import UNKNOWN, Properties

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localcloud.provider.table import Property, Shape

_SHA1 = re.compile(r"^[0-9a-f]{40}$")


def recorded(shape: Shape, inputs: Mapping[str, Any]) -> Properties:
    """Give the inputs as state records them."""
    return {
        name: recorded_value(item, inputs[name]) for name, item in shape.inputs.items() if inputs.get(name) is not None
    }


def recorded_value(item: Property, value: Any) -> Any:
    """Give one input as state records it."""
    if value is UNKNOWN:
        return value
    if isinstance(value, list) and item.items is not None:
        inner = item.items
        return [recorded_value(inner, each) for each in cast("list[Any]", value)]
    if isinstance(value, dict) and item.shape is not None:
        return recorded(item.shape, cast("Properties", value))
    if isinstance(value, str):
        if item.hashed:
            return value if _SHA1.match(value) else hashlib.sha1(value.encode(), usedforsecurity=False).hexdigest()
        return value.lower() if item.lower else value
    return value


def canonical(item: Property, value: Any) -> Any:
    """Give a recorded value in the one form that comparisons use, None for each kind of nothing."""
    if value is None or value is UNKNOWN:
        return value
    if isinstance(value, list) and item.items is not None:
        inner = item.items
        items = [canonical(inner, each) for each in cast("list[Any]", value)]
        return (sorted(items, key=repr) if item.is_set else items) or None
    if isinstance(value, dict) and item.shape is not None:
        shape, given = item.shape, cast("Properties", value)
        members = {name: canonical(shape.inputs[name], given[name]) for name in sorted(given) if name in shape.inputs}
        return {name: member for name, member in members.items() if member is not None} or None
    if isinstance(value, str) and item.ignore_case:
        value = value.lower()
    return value or None


def align(shape: Shape, seen: Properties, known: Mapping[str, Any]) -> Properties:
    """Give observed outputs with their sets in the order of the known ones, and without empty sets nobody asked for."""
    result = dict(seen)
    for name, item in shape.inputs.items():
        if item.is_set and name in seen:
            result[name] = aligned(item, seen[name], known.get(name))
            if not result[name] and not item.computed and name not in known:
                del result[name]
    return result


def aligned(item: Property, observed: Iterable[Any], wanted: Any) -> list[Any]:
    """Give an observed set in the order of the wanted one, what is not wanted last and sorted."""
    if item.items is None:
        return list(observed)
    inner = item.items
    order = [canonical(inner, recorded_value(inner, each)) for each in cast("list[Any]", wanted or [])]
    last = len(order)

    def rank(value: Any) -> tuple[int, str]:
        form = canonical(inner, value)
        return (order.index(form) if form in order else last, repr(form))

    return sorted(observed, key=rank)
