"""The property table: what each resource type takes and gives.

`properties.json` holds the names, types and replacing properties of the official provider's schema, and beside them the
defaults, limits and set properties that its documentation gives. This module reads it once, into frozen dataclasses.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = Path(__file__).with_name("properties.json")


@dataclass(frozen=True)
class Property:
    """One property: its type, and how it is checked and compared."""

    type: str
    """`string`, `integer`, `number`, `boolean`, `array` or `object`."""
    items: Property | None = None
    shape: Shape | None = None
    replace: bool = False
    """A change can't be made in place."""
    computed: bool = False
    """The API chooses a value when the program gives none; its choice is no difference."""
    is_set: bool = False
    """An array whose order means nothing."""
    hashed: bool = False
    """State holds the SHA-1 of the value instead of the value."""
    lower: bool = False
    """The API knows the lower-case spelling only."""
    ignore_case: bool = False
    default: Any = None
    """What state holds when the program says nothing."""
    autoname: int = 0
    """Longest generated name, 0 for none."""
    autoname_lower: bool = False
    enum: tuple[str, ...] = ()
    pattern: str = ""
    expected: str = ""
    """What `pattern` stands for, in words."""
    minimum: float | None = None
    maximum: float | None = None
    min_length: int = 0
    max_length: int = 0
    min_items: int = 0


@dataclass(frozen=True)
class Shape:
    """The properties of an object or a resource."""

    inputs: Mapping[str, Property]
    required: frozenset[str]
    outputs: Mapping[str, Property] = field(default_factory=dict[str, Property])
    """What only the API can say; a resource's outputs are its inputs and these."""


@dataclass(frozen=True)
class Table:
    """The whole table."""

    version: str
    config: Mapping[str, Property]
    resources: Mapping[str, Shape]


@cache
def load() -> Table:
    """Read the table."""
    document = json.loads(_FILE.read_text(encoding="utf-8"))
    types: dict[str, Any] = document["types"]
    return Table(
        version=document["version"],
        config={name: _property(raw, types) for name, raw in document["config"].items()},
        resources={token: _shape(raw, types) for token, raw in document["resources"].items()},
    )


def _shape(raw: Mapping[str, Any], types: Mapping[str, Any]) -> Shape:
    return Shape(
        inputs={name: _property(item, types) for name, item in raw["inputs"].items()},
        required=frozenset(raw["required"]),
        outputs={name: _property(item, types) for name, item in raw.get("outputs", {}).items()},
    )


def _property(raw: Mapping[str, Any], types: Mapping[str, Any]) -> Property:
    return Property(
        type=raw["type"],
        items=_property(raw["items"], types) if "items" in raw else None,
        shape=_shape(types[raw["ref"]], types) if "ref" in raw else None,
        replace=raw.get("replace", False),
        computed=raw.get("computed", False),
        is_set=raw.get("set", False),
        hashed=raw.get("hashed", False),
        lower=raw.get("lower", False),
        ignore_case=raw.get("ignoreCase", False),
        default=raw.get("default"),
        autoname=raw.get("autoname", 0),
        autoname_lower=raw.get("autonameLower", False),
        enum=tuple(raw.get("enum", ())),
        pattern=raw.get("pattern", ""),
        expected=raw.get("expected", ""),
        minimum=raw.get("minimum"),
        maximum=raw.get("maximum"),
        min_length=raw.get("minLength", 0),
        max_length=raw.get("maxLength", 0),
        min_items=raw.get("minItems", 0),
    )
