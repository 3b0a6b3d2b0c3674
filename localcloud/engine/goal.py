"""What a program wants of one resource: a registration request in the engine's terms.

What a request may ask for and the engine does not do is refused here, by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.engine import values, wire
from localcloud.engine.errors import UnsupportedError

if TYPE_CHECKING:
    from localcloud.engine.values import PropertyMap

REFUSED_FIELDS = {
    "remote": "remote components",
    "transforms": "transforms",
    "replace_with": "the replaceWith option",
    "packageRef": "parameterized packages",
    "pluginChecksums": "plugin checksums",
    "envVarMappings": "environment variable mappings of providers",
    "state_migrations": "state migrations",
    "hooks": "resource hooks",
}
DURATION_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class AliasSpec:
    """Another name a resource may have had; empty parts mean the resource's own."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """One registration. None means that the program said nothing, so the parent's word holds."""

    type: str
    name: str
    custom: bool
    parent: str = ""
    inputs: PropertyMap = field(default_factory=dict[str, Any])
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    provider: str = ""
    version: str = ""
    plugin_url: str = ""
    protect: bool | None = None
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    replacement_trigger: Any = None
    import_id: str = ""
    aliases: tuple[AliasSpec, ...] = ()
    custom_timeouts: dict[str, float] = field(default_factory=dict[str, float])
    additional_secret_outputs: tuple[str, ...] = ()
    hide_diff: tuple[str, ...] = ()
    source_position: str = ""


def goal_from_request(request: Any) -> Goal:
    """Read a RegisterResourceRequest. Raises UnsupportedError."""
    _refuse(request)
    inputs = wire.from_struct(request.object)
    dependencies = tuple(dict.fromkeys(request.dependencies))
    property_dependencies = {key: list(item.urns) for key, item in request.propertyDependencies.items()}
    if not property_dependencies:
        property_dependencies = {key: list(dependencies) for key in inputs} if dependencies else {}
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=inputs,
        dependencies=dependencies,
        property_dependencies=property_dependencies,
        provider=request.provider,
        version=request.version,
        plugin_url=request.pluginDownloadURL,
        protect=request.protect if request.HasField("protect") else None,
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        deleted_with=request.deletedWith,
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        replacement_trigger=_trigger(request),
        import_id=request.importId,
        aliases=(*(AliasSpec(urn=urn) for urn in request.aliasURNs), *(_alias(item) for item in request.aliases)),
        custom_timeouts=_timeouts(request.customTimeouts),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        hide_diff=tuple(request.hideDiffs),
        source_position=_position(request.sourcePosition),
    )


def _refuse(request: Any) -> None:
    present = {descriptor.name for descriptor, value in request.ListFields() if _is_set(descriptor.name, value)}
    refused = [words for name, words in REFUSED_FIELDS.items() if name in present]
    if refused:
        raise UnsupportedError(f"{request.name} ({request.type}) uses {', '.join(refused)}: not supported here")


def _is_set(name: str, value: Any) -> bool:
    """Say whether a field that is present asks for anything; a hooks message without a hook does not."""
    return bool(value.ListFields()) if name == "hooks" else True


def _trigger(request: Any) -> Any:
    if not request.HasField("replacement_trigger"):
        return None
    return wire.value_from_wire(request.replacement_trigger)


def _alias(alias: Any) -> AliasSpec:
    if alias.WhichOneof("alias") == "urn":
        return AliasSpec(urn=alias.urn)
    spec = alias.spec
    return AliasSpec(
        name=spec.name,
        type=spec.type,
        stack=spec.stack,
        project=spec.project,
        parent=spec.parentUrn,
        no_parent=spec.noParent,
    )


def _timeouts(timeouts: Any) -> dict[str, float]:
    if timeouts.read:
        raise UnsupportedError("A custom timeout for read is not supported here")
    parsed = {key: seconds(getattr(timeouts, key)) for key in ("create", "update", "delete")}
    return {key: values.number(value) for key, value in parsed.items() if value}


def seconds(duration: str) -> float:
    """Read a duration such as `1m30s` as seconds; a bare number is seconds, nothing is zero."""
    if not duration:
        return 0.0
    pieces = re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", duration)
    if "".join(amount + unit for amount, unit in pieces) == duration:
        return sum(float(amount) * DURATION_UNITS[unit] for amount, unit in pieces)
    try:
        return float(duration)
    except ValueError:
        raise UnsupportedError(f"The custom timeout {duration!r} is no duration; expected the like of 1m30s") from None


def _position(position: Any) -> str:
    return f"{position.uri}#{position.line}" if position.uri and position.line else ""
