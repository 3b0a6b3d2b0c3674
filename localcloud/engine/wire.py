"""Property values on the wire: `google.protobuf.Struct`, from and to the engine's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.struct_pb2 import ListValue, Struct
from google.protobuf.struct_pb2 import Value as WireValue

from localcloud.engine.values import (
    SECRET,
    UNKNOWN_SENTINELS,
    Asset,
    ResourceReference,
    Secret,
    Unknown,
    asset_object,
    bare_reference,
    from_marked,
    marked,
    number,
    reference_object,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.engine.values import PropertyMap


def from_struct(struct: Struct) -> PropertyMap:
    """Read a wire Struct as a property map. Raises UnsupportedError for archives."""
    return {key: _from_wire(value) for key, value in struct.fields.items()}


def value_from_wire(value: WireValue) -> Any:
    """Read one wire value; an unset one is None."""
    return _from_wire(value)


def _from_wire(value: WireValue) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return Unknown(text) if text in UNKNOWN_SENTINELS else text
    if kind == "struct_value":
        return from_marked({key: _from_wire(item) for key, item in value.struct_value.fields.items()})
    if kind == "list_value":
        return [_from_wire(item) for item in value.list_value.values]
    if kind == "number_value":
        return number(value.number_value)
    if kind == "bool_value":
        return value.bool_value
    return None


def to_struct(properties: Mapping[str, Any], *, secrets: bool = True, references: bool = True) -> Struct:
    """Write a property map as a wire Struct.

    Without `secrets` the marks are stripped; without `references` a resource reference becomes the id (or the urn of a
    component), for receivers that did not announce that they understand them.
    """
    result = Struct()
    for key, value in properties.items():
        _fill(result.fields[key], value, secrets, references)
    return result


def _fill(target: WireValue, value: Any, secrets: bool, references: bool) -> None:  # noqa: FBT001 - hot private path
    match value:
        case None:
            target.null_value = 0  # pyright: ignore[reportAttributeAccessIssue] - an enum's number is what is meant
        case bool():
            target.bool_value = value
        case int() | float():
            target.number_value = value
        case str():
            target.string_value = value
        case dict():
            target.struct_value.SetInParent()
            fields = target.struct_value.fields
            for key, item in value.items():
                _fill(fields[key], item, secrets, references)
        case list() | tuple():
            _fill_list(target.list_value, value, secrets, references)
        case Secret():
            _fill(target, marked(SECRET, value=value.value) if secrets else value.value, secrets, references)
        case _:
            _fill(target, _plain_marker(value, references), secrets, references)


def _fill_list(target: ListValue, values: Any, secrets: bool, references: bool) -> None:  # noqa: FBT001
    target.SetInParent()
    for item in values:
        _fill(target.values.add(), item, secrets, references)


def _plain_marker(value: Any, references: bool) -> Any:  # noqa: FBT001
    if isinstance(value, Unknown):
        return value.sentinel
    if isinstance(value, Asset):
        return asset_object(value)
    if isinstance(value, ResourceReference):
        return reference_object(value) if references else bare_reference(value)
    raise TypeError(f"{type(value).__name__} is no property value")
