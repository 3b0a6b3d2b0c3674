"""Turns what pydantic found into problems a person can act on: file and line, key, what is there, what was expected."""

from __future__ import annotations

__all__ = ["describe"]

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from infra.errors import Problem
from infra.settings.fields import nearest

if typing.TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from infra.settings.document import Path

FOUND_LIMIT = 80

_EXPECTED: dict[str, str] = {
    "missing": "a value",
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "dict_type": "a map",
    "date_from_datetime_parsing": 'a day such as "2027-03-31"',
    "date_parsing": 'a day such as "2027-03-31"',
    "date_type": 'a day such as "2027-03-31"',
    "model_type": "a map",
    "model_attributes_type": "a map",
}


def describe(error: ValidationError, model: type[BaseModel], where: Callable[[Path], str]) -> list[Problem]:
    """Make one problem of each key that is wrong; a union that fails in several ways is one problem."""
    problems: dict[Path, Problem] = {}
    for detail in error.errors(include_url=False):
        path = _path(detail["loc"])
        key = ".".join(str(part) for part in path) or "(settings)"
        problem = Problem(where(path), key, _found(detail), _expected(detail, model, path))
        problems.setdefault(path, problem)
    return [problem for path, problem in problems.items() if not _has_inner(path, problems)]


def _has_inner(path: Path, paths: Iterable[Path]) -> bool:
    """Whether something below is wrong too: a list whose entries are bad is not also called too short."""
    return any(other[: len(path)] == path and len(other) > len(path) for other in paths)


def _path(location: tuple[str | int, ...]) -> Path:
    """Drop the names of union members that pydantic puts into a location."""
    members = {"str", "int", "float", "bool", "constrained-str"}
    return tuple(part for part in location if part not in members and not str(part).startswith(("tuple[", "function-")))


def _found(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "nothing"
    if detail["type"] == "extra_forbidden":
        return "an unknown key"
    value = detail["input"]
    if isinstance(value, Mapping | list):
        return "a list" if isinstance(value, list) else "a map"
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= FOUND_LIMIT else f"{text[:FOUND_LIMIT]}…"


def _expected(detail: ErrorDetails, model: type[BaseModel], path: Path) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "expected":
        return str(context["text"])
    if kind == "extra_forbidden":
        names = _keys_at(model, path[:-1])
        return f"one of {', '.join(names)}{nearest(str(path[-1]), names)}" if names else "no such key"
    return _EXPECTED.get(kind) or _limits(kind, context) or detail["msg"][:1].lower() + detail["msg"][1:]


def _limits(kind: str, context: dict[str, Any]) -> str:
    """Word the errors that carry a limit."""
    words = {
        "literal_error": "{expected}",
        "greater_than_equal": "a number from {ge}",
        "less_than_equal": "a number up to {le}",
        "string_pattern_mismatch": "text like {pattern}",
        "too_short": "at least {min_length} entry",
    }
    return words.get(kind, "").format(**context)


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """Name the keys that the model has at a path."""
    current: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        if not (isinstance(current, type) and issubclass(current, BaseModel)):
            return []
        fields = {field.alias or name: field for name, field in current.model_fields.items()}
        current = _model_in(fields[str(part)].annotation) if part in fields else None
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model inside an annotation such as `tuple[Route, ...]` or `Dns | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        for argument in typing.get_args(annotation):
            if found := _model_in(argument):
                return found
    return None
