"""Frozen data as plain JSON values and back, by the annotations of its dataclasses.

An incident is kept for years and read by programs: what is written is held to the schema in docs/schemas, and what is
read is checked field by field, so that a damaged file is named by the place that is wrong. Fields that a later
version of Greenroom has added take their default in an older document, and keys that nobody knows are passed over.
"""

from __future__ import annotations

__all__ = ["ShapeError", "from_plain", "to_plain"]

import collections.abc
import dataclasses
import enum
import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, cast

from infra.healing import incident, model

_NAMES = {**vars(collections.abc), **vars(typing), **vars(model), **vars(incident)}
"""What the annotations speak of; the modules themselves import it for the type checker only."""
_WORDS: dict[Any, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_DEPTH = 24
"""Nothing that Greenroom writes lies deeper; a file that does is somebody's joke."""


class ShapeError(ValueError):
    """A value is not what its field takes: where, and what was expected. It never carries the value itself."""

    def __init__(self, where: str, expected: str) -> None:
        self.where = where or "(document)"
        super().__init__(f"{self.where}: expected {expected}")


def to_plain(value: Any) -> Any:
    """Return dicts, lists, text, numbers, booleans and None, whatever the value; what JSON has no word for is text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in _kept(type(value))}
    if isinstance(value, Mapping):
        return {_text(key): to_plain(each) for key, each in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(each) for each in cast("collections.abc.Collection[Any]", value)]
    plain = value.value if isinstance(value, enum.Enum) else value
    if plain is None or isinstance(plain, bool | int) or (isinstance(plain, float) and math.isfinite(plain)):
        return plain
    return _text(plain)


def from_plain(kind: Any, value: Any, where: str = "", depth: int = 0) -> Any:
    """Return `value` as an instance of the annotation `kind`; raises ShapeError where it is none."""
    if depth > _DEPTH:
        raise ShapeError(where, f"at most {_DEPTH} levels")
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record(kind, value, where, depth)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else from_plain(arguments[0], value, where, depth)
    if origin is tuple:
        return tuple(
            from_plain(arguments[0], each, f"{where}[{index}]", depth + 1)
            for index, each in enumerate(_of(list, value, where, "a list"))
        )
    if origin is Mapping:
        read = _of(dict, value, where, "an object")
        return {key: from_plain(arguments[1], each, f"{where}.{key[:40]}", depth + 1) for key, each in read.items()}
    return value if kind is Any else _scalar(kind, value, where)


def _record(kind: type, value: Any, where: str, depth: int) -> Any:
    read = _of(dict, value, where, "an object")
    hints, given = _hints(kind), dict[str, Any]()
    for field in _kept(kind):
        place = f"{where}.{field.name}".lstrip(".")
        if field.name in read:
            given[field.name] = from_plain(hints[field.name], read[field.name], place, depth + 1)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ShapeError(place, "a value, and there is none")
    for field in dataclasses.fields(kind):
        if not field.compare:
            given[field.name] = _finds_nothing
    return kind(**given)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    if typing.get_origin(kind) is typing.Literal:
        return _one_of(typing.get_args(kind), value, where)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(_one_of([each.value for each in kind], value, where))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ShapeError(where, _WORDS.get(kind, f"a {kind}"))
    return value


def _one_of(words: collections.abc.Sequence[Any], value: Any, where: str) -> Any:
    if value not in words:
        raise ShapeError(where, f"one of {', '.join(map(str, words))}")
    return value


def _of(kind: type, value: Any, where: str, words: str) -> Any:
    if not isinstance(value, kind):
        raise ShapeError(where, words)
    return value


def _kept(kind: type) -> list[dataclasses.Field[Any]]:
    """Return the fields that are data; a cause's way of looking is code and stays behind."""
    return [field for field in dataclasses.fields(kind) if field.compare]


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, globalns=_NAMES)


def _finds_nothing(_situation: Any) -> tuple[()]:
    """Stand in for the look of a cause that was read from a file: the past can't be looked at."""
    return ()


def _text(value: Any) -> str:
    """Return text that UTF-8 can carry: half a surrogate pair, as broken tools print it, becomes a question mark."""
    return str(value).encode("utf-8", "replace").decode("utf-8")
