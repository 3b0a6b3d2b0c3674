"""Property values: what programs send, providers return and the state keeps.

Inside the engine a property value is plain Python (None, bool, int, float, str, list, dict) plus four marker types:
`Secret`, `Unknown`, `Asset` and `ResourceReference`. On the wire and in the state markers are objects with a signature
key. Here are the types, their objects, and the few pure operations the engine needs on values. Whole numbers are ints,
because the state must say `1` and never `1.0`.
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.engine.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a published constant of the protocol
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
FLOAT = "8ad145fe-0d11-4827-bfd7-1abcbf086f5c"

UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_SENTINELS = frozenset(
    {
        UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)

MASK = "[secret]"
LARGEST_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that must not be shown or stored in plain."""

    value: Any = field(repr=False)

    def __str__(self) -> str:
        return MASK


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is not known before the change is made; `sentinel` is its spelling on the wire."""

    sentinel: str = UNKNOWN_STRING


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Asset:
    """A text or file given to a provider; `hash` is the SHA-256 of its bytes in hex."""

    kind: str
    content: str
    hash: str = ""

    def hashed(self, directory: Path) -> Asset:
        """Return the asset with its hash filled in; a path is read relative to the directory. Raises OSError."""
        if self.kind == "uri":
            return self
        data = self.content.encode() if self.kind == "text" else (directory / self.content).read_bytes()
        return Asset(self.kind, self.content, hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class ResourceReference:
    """A reference to another resource of the stack; `id` is None for components."""

    urn: str
    id: str | Unknown | None = None
    package_version: str = ""


PropertyMap = dict[str, Any]


def number(value: float) -> int | float:
    """Return a double as the int it stands for, where that is exact."""
    if math.isfinite(value) and value == int(value) and abs(value) < LARGEST_EXACT:
        return int(value)
    return value


def from_marked(fields: dict[str, Any]) -> Any:
    """Turn an object that carries a signature key into its marker type; other objects are returned as they are."""
    signature = fields.get(SIGNATURE)
    if signature is None:
        return fields
    if signature == SECRET:
        value = fields.get("value")
        return value if isinstance(value, Secret) else Secret(value)
    if signature == ASSET:
        return _asset(fields)
    if signature == RESOURCE:
        identity = fields.get("id")
        return ResourceReference(
            fields["urn"], identity if identity != "" else UNKNOWN, fields.get("packageVersion") or ""
        )
    if signature == OUTPUT:
        value = fields.get("value", UNKNOWN)
        return Secret(value) if fields.get("secret") else value
    if signature == FLOAT:
        return _special_float(str(fields.get("value")))
    if signature == ARCHIVE:
        raise UnsupportedError("Archives as property values are not supported by this engine")
    raise UnsupportedError(f"Property values with the signature {signature} are not supported by this engine")


def _asset(fields: Mapping[str, Any]) -> Asset:
    for kind in ("text", "path", "uri"):
        if fields.get(kind):
            return Asset(kind, fields[kind], fields.get("hash") or "")
    return Asset("text", "", fields.get("hash") or "")


def _special_float(digits: str) -> float:
    return struct.unpack(">d", bytes.fromhex(digits))[0]


def marked(signature: str, **fields: Any) -> dict[str, Any]:
    """Return the object of a marker."""
    return {SIGNATURE: signature, **fields}


def asset_object(asset: Asset) -> dict[str, Any]:
    """Return an asset as the object that stands for it on the wire and in the state."""
    return marked(ASSET, **{asset.kind: asset.content, "hash": asset.hash})


def reference_object(reference: ResourceReference) -> dict[str, Any]:
    """Return a resource reference as the object that stands for it on the wire and in the state."""
    fields: dict[str, Any] = {"urn": reference.urn}
    if reference.id is not None:
        fields["id"] = "" if isinstance(reference.id, Unknown) else reference.id
    if reference.package_version:
        fields["packageVersion"] = reference.package_version
    return marked(RESOURCE, **fields)


def bare_reference(reference: ResourceReference) -> str:
    """Return what a receiver without resource references sees: the id, or a component's urn."""
    if isinstance(reference.id, Unknown):
        return UNKNOWN_STRING
    return reference.id if reference.id is not None else reference.urn


def map_values(value: Any, change: Callable[[Any], Any]) -> Any:
    """Rebuild a value from the inside out, giving each Secret's content, list, object and leaf to `change`."""
    if isinstance(value, dict):
        return change({key: map_values(item, change) for key, item in value.items()})
    if isinstance(value, list):
        return change([map_values(item, change) for item in value])
    if isinstance(value, Secret):
        return change(Secret(map_values(value.value, change)))
    return change(value)


def with_hashes(value: PropertyMap, directory: Path) -> PropertyMap:
    """Return the properties with every asset's hash filled in. Raises OSError for a file that can't be read."""
    return map_values(value, lambda item: item.hashed(directory) if isinstance(item, Asset) else item)


def plain(value: Any) -> Any:
    """Return the value with every secret mark taken off."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def masked(value: Any) -> Any:
    """Return the value fit for display: secrets as a mask, markers as short text."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return display(value)


def display(value: Any) -> Any:
    """Return a leaf marker as text; other values as they are."""
    if isinstance(value, Unknown):
        return "[unknown]"
    if isinstance(value, Asset):
        return f"[asset {value.hash[:12] or value.kind}]"
    if isinstance(value, ResourceReference):
        return value.urn
    return value


def shown(value: Any) -> Any:
    """Return the value as JSON-ready data with secrets in plain; only for callers that asked for them."""
    return map_values(plain(value), display)


def contains_secret(value: Any) -> bool:
    """Say whether the value or anything in it is secret."""
    if isinstance(value, Secret):
        return True
    if isinstance(value, dict):
        return any(contains_secret(item) for item in value.values())
    return isinstance(value, list) and any(contains_secret(item) for item in value)


def contains_unknown(value: Any) -> bool:
    """Say whether the value or anything in it is unknown."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Secret):
        return contains_unknown(value.value)
    if isinstance(value, ResourceReference):
        return isinstance(value.id, Unknown)
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    return isinstance(value, list) and any(contains_unknown(item) for item in value)


def equal(left: Any, right: Any) -> bool:
    """Compare two values without regard to secret marks."""
    return bool(plain(left) == plain(right))


def remark(result: PropertyMap, given: Mapping[str, Any]) -> PropertyMap:
    """Restore secret marks that a provider dropped: a key that was secret in `given` is secret in `result`."""
    return {key: _remark(value, given[key]) if key in given else value for key, value in result.items()}


def _remark(value: Any, given: Any) -> Any:
    if isinstance(value, Secret):
        return value
    if isinstance(given, Secret):
        return Secret(value)
    if isinstance(given, list) and contains_secret(given):
        return Secret(value)
    if isinstance(given, dict) and isinstance(value, dict):
        return remark(value, given)
    if isinstance(given, dict) and contains_secret(given):
        return Secret(value)
    return value


def mark_keys(properties: PropertyMap, keys: frozenset[str]) -> PropertyMap:
    """Make the named top-level properties secret."""
    return {
        key: Secret(value) if key in keys and not isinstance(value, Secret) else value
        for key, value in properties.items()
    }


def secret_strings(value: Any, *, inside: bool = False) -> set[str]:
    """Collect the strings that are secret, for redaction of what is shown."""
    if isinstance(value, Secret):
        return secret_strings(value.value, inside=True)
    if isinstance(value, dict):
        return {text for item in value.values() for text in secret_strings(item, inside=inside)}
    if isinstance(value, list):
        return {text for item in value for text in secret_strings(item, inside=inside)}
    return {value} if inside and isinstance(value, str) else set()
