"""Property values between the wire and Python.

Properties travel as `google.protobuf.Struct`. In here they are plain Python values: whole numbers are `int`, every kind
of unknown is the one object `UNKNOWN`, and secret and output wrappers are taken off. The provider announces that it
does not accept secrets, so the engine keeps the marks; a wrapper that comes all the same means what its content means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from google.protobuf.struct_pb2 import Struct, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

Properties = dict[str, Any]
"""The inputs or the outputs of a resource."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a published protocol constant, no password)
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
_UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS = frozenset(
    {
        _UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


class Unknown:
    """A value that can't be known during a preview."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


def holds_unknown(value: object) -> bool:
    """Whether the value is unknown, or holds something that is."""
    if isinstance(value, list):
        return any(holds_unknown(item) for item in cast("list[object]", value))
    if isinstance(value, dict):
        return any(holds_unknown(item) for item in cast("dict[str, object]", value).values())
    return value is UNKNOWN


def decode(struct: Struct) -> Properties:
    """Read the properties out of a message."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def encode(properties: Mapping[str, Any]) -> Struct:
    """Write properties into a message; None values are left out, as the SDK does."""
    struct = Struct()
    for key, value in properties.items():
        if value is not None:
            struct.fields[key].CopyFrom(_encode(value))
    return struct


def _decode(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_decode(item) for item in value.list_value.values]
        case "struct_value":
            return _unwrap(value.struct_value)
        case _:
            return None


def _unwrap(struct: Struct) -> Any:
    signature = struct.fields[_SIGNATURE].string_value if _SIGNATURE in struct.fields else ""
    if signature in {_SECRET, _OUTPUT}:
        return _decode(struct.fields["value"]) if "value" in struct.fields else UNKNOWN
    if signature == _RESOURCE:
        return _decode(struct.fields["id"]) if "id" in struct.fields else struct.fields["urn"].string_value
    return decode(struct)


def _encode(value: Any) -> Value:
    if value is UNKNOWN:
        return Value(string_value=_UNKNOWN_STRING)
    if isinstance(value, bool):
        return Value(bool_value=value)
    if isinstance(value, int | float):
        return Value(number_value=value)
    if isinstance(value, str):
        return Value(string_value=value)
    if isinstance(value, list):
        message = Value()
        message.list_value.values.extend(_encode(item) for item in cast("list[Any]", value) if item is not None)
        if not message.HasField("list_value"):
            message.list_value.SetInParent()
        return message
    if isinstance(value, dict):
        return Value(struct_value=encode(cast("Properties", value)))
    raise TypeError(f"A {type(value).__name__} is no property value")
