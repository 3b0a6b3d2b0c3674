"""Check: the program's inputs against the property table.

A pure function. It names every unknown key, missing property, wrong type and value out of its limits at once, takes
spellings that mean the same (`"42"` for 42, as a droplet's id is a string and `dropletIds` are numbers), and fills in
generated names and the defaults that are not nothing, as the official provider does, recorded under `__defaults`.
Reasons never repeat a value, since any input can be a secret.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from localcloud.provider.values import UNKNOWN, Properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.provider.table import Property, Shape

DEFAULTS = "__defaults"
"""Names the inputs that the provider filled in; the official provider keeps the same list."""
_RANDOM_DIGITS = 7


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong with the inputs."""

    property: str
    reason: str


@dataclass(frozen=True)
class Naming:
    """How to name a resource whose program gives it no name."""

    prefix: str
    """The resource's logical name."""
    seed: bytes = b""
    proposed: str = ""
    """A name from the engine's own naming rules, if it has any."""
    disabled: bool = False


def check(shape: Shape, olds: Properties, news: Properties, naming: Naming) -> tuple[Properties, list[Failure]]:
    """Validate and complete inputs; `olds` are those of the last run, {} for a new resource."""
    failures: list[Failure] = []
    inputs = _object(shape, news, "", failures)
    filled: list[str] = []
    for name, item in sorted(shape.inputs.items()):
        if name in inputs:
            continue
        value = _autoname(name, item, olds, naming) if item.autoname else item.default
        if value:
            inputs[name] = value
            filled.append(name)
    failures += [
        Failure(name, f"missing: a {shape.inputs[name].type} is required")
        for name in sorted(shape.required | _named(shape))
        if name not in inputs
    ]
    inputs[DEFAULTS] = filled
    return inputs, failures


def _named(shape: Shape) -> set[str]:
    return {name for name, item in shape.inputs.items() if item.autoname}


def _autoname(name: str, item: Property, olds: Properties, naming: Naming) -> str | None:
    if isinstance(olds.get(name), str) and name in olds.get(DEFAULTS, [name]):
        return olds[name]
    if naming.disabled:
        return None
    if naming.proposed:
        return naming.proposed
    digits = hashlib.sha256(naming.seed + naming.prefix.encode()).hexdigest()[:_RANDOM_DIGITS]
    generated = f"{naming.prefix[: item.autoname - _RANDOM_DIGITS - 1]}-{digits}"
    return generated.lower() if item.autoname_lower else generated


def _object(shape: Shape, given: Properties, path: str, failures: list[Failure]) -> Properties:
    result: Properties = {}
    for key, value in given.items():
        if key.startswith("__") or value is None:
            continue
        here = f"{path}.{key}" if path else key
        item = shape.inputs.get(key)
        if item is None:
            failures.append(Failure(here, _unknown_key(key, shape)))
        else:
            result[key] = _value(item, value, here, failures)
    if path:
        failures += [
            Failure(f"{path}.{name}", "missing: it is required") for name in sorted(shape.required - result.keys())
        ]
    return result


def _unknown_key(key: str, shape: Shape) -> str:
    if key in shape.outputs:
        return "only the API sets this property; take it out of the inputs"
    near = difflib.get_close_matches(key, shape.inputs, n=1)
    return f"unknown property; did you mean {near[0]}?" if near else "unknown property; take it out of the inputs"


def _value(item: Property, given: Any, path: str, failures: list[Failure]) -> Any:
    if given is UNKNOWN:
        return given
    value = _coerce(item.type, given)
    if value is None:
        failures.append(Failure(path, f"expected {_article(item.type)}, got {_article(_type_name(given))}"))
        return given
    if item.type == "array" and item.items is not None:
        value = [_value(item.items, each, f"{path}[{index}]", failures) for index, each in enumerate(value)]
    if item.type == "object" and item.shape is not None:
        return _object(item.shape, cast("Properties", value), path, failures)
    failures.extend(Failure(path, reason) for reason in _limits(item, value))
    return value


def _coerce(wanted: str, given: Any) -> Any:
    """Give the value as the wanted type, None where that can't be done."""
    match wanted:
        case "string":
            if isinstance(given, bool):
                return "true" if given else "false"
            return given if isinstance(given, str) else str(given) if isinstance(given, int | float) else None
        case "boolean":
            return given if isinstance(given, bool) else {"true": True, "false": False}.get(str(given))
        case "integer" | "number":
            return _number(wanted, given)
        case "array":
            return cast("list[Any]", given) if isinstance(given, list) else None
        case _:
            return cast("Properties", given) if isinstance(given, dict) else None


def _number(wanted: str, given: Any) -> float | None:
    if isinstance(given, bool):
        return None
    if isinstance(given, str):
        try:
            given = float(given) if wanted == "number" else int(given)
        except ValueError:
            return None
    if isinstance(given, float) and given.is_integer():
        return int(given)
    return given if isinstance(given, int) or (wanted == "number" and isinstance(given, float)) else None


def _limits(item: Property, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        if len(cast("list[Any]", value)) < item.min_items:
            yield f"expected at least {item.min_items} items"
        return
    if isinstance(value, str):
        yield from _text_limits(item, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if item.minimum is not None and value < item.minimum:
            yield f"expected at least {item.minimum:g}"
        if item.maximum is not None and value > item.maximum:
            yield f"expected at most {item.maximum:g}"


def _text_limits(item: Property, value: str) -> Iterator[str]:
    known = value.lower() in item.enum if item.ignore_case else value in item.enum
    if item.enum and not known:
        yield f"expected one of {', '.join(item.enum)}"
    elif len(value) < item.min_length:
        yield "must not be empty"
    elif item.max_length and len(value) > item.max_length:
        yield f"expected at most {item.max_length} characters"
    elif item.pattern and re.search(item.pattern, value) is None:
        yield f"expected {item.expected}"


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), type(value).__name__)


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
