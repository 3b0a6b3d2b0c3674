"""The stack's state: resource entries, pending operations, and their JSON in the DIY checkpoint format.

A `ResourceState` is compared by identity: two entries may carry the same urn while a replacement is under way, and the
snapshot must tell them apart. Only `delete`, `pending_replacement` and component outputs change after an entry is made.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.engine.errors import StateError
from localcloud.engine.urn import split_reference, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.engine.values import PropertyMap


@dataclass(eq=False, slots=True)
class ResourceState:
    """One entry of the state; field names follow the format, in Python's spelling."""

    urn: str
    custom: bool
    type: str
    id: str = ""
    inputs: PropertyMap = field(default_factory=dict[str, Any])
    outputs: PropertyMap = field(default_factory=dict[str, Any])
    parent: str = ""
    protect: bool = False
    external: bool = False
    delete: bool = False
    dependencies: list[str] = field(default_factory=list[str])
    init_errors: list[str] = field(default_factory=list[str])
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    pending_replacement: bool = False
    additional_secret_outputs: list[str] = field(default_factory=list[str])
    custom_timeouts: dict[str, float] = field(default_factory=dict[str, float])
    import_id: str = ""
    retain_on_delete: bool = False
    deleted_with: str = ""
    replacement_trigger: Any = None
    created: str = ""
    modified: str = ""
    source_position: str = ""
    ignore_changes: list[str] = field(default_factory=list[str])
    hide_diff: list[str] = field(default_factory=list[str])
    replace_on_changes: list[str] = field(default_factory=list[str])

    def changed(self, **values: Any) -> ResourceState:
        """Return a new entry with some fields set."""
        other = copy.copy(self)
        for name, value in values.items():
            setattr(other, name, value)
        return other

    @property
    def is_live(self) -> bool:
        """Whether the entry is the resource itself, not a leftover to be deleted."""
        return not self.delete

    @property
    def reference(self) -> str:
        """The provider reference of a provider resource."""
        return f"{self.urn}::{self.id}"

    def referenced_urns(self) -> Iterable[str]:
        """Yield every urn this entry depends on, duplicates included."""
        yield from self.dependencies
        for urns in self.property_dependencies.values():
            yield from urns
        if self.parent:
            yield self.parent
        if self.provider:
            yield split_reference(self.provider)[0]
        if self.deleted_with:
            yield self.deleted_with

    def with_renamed(self, renamed: dict[str, str]) -> ResourceState:
        """Return the entry with references to renamed urns rewritten; itself when there is none."""
        if not any(urn in renamed for urn in (self.urn, *self.referenced_urns())):
            return self
        provider_urn, identity = split_reference(self.provider)
        return self.changed(
            urn=renamed.get(self.urn, self.urn),
            type=type_of(renamed[self.urn]) if self.urn in renamed else self.type,
            parent=renamed.get(self.parent, self.parent),
            dependencies=[renamed.get(urn, urn) for urn in self.dependencies],
            property_dependencies={
                key: [renamed.get(urn, urn) for urn in urns] for key, urns in self.property_dependencies.items()
            },
            deleted_with=renamed.get(self.deleted_with, self.deleted_with),
            provider=f"{renamed[provider_urn]}::{identity}" if provider_urn in renamed else self.provider,
        )


@dataclass(frozen=True, slots=True)
class PendingOperation:
    """An operation that was begun and not seen to end: creating, updating, deleting, reading or importing."""

    type: str
    resource: ResourceState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole state, as loaded or as it is to be written."""

    resources: tuple[ResourceState, ...] = ()
    pending: tuple[PendingOperation, ...] = ()
    salt: str = ""

    def stack_resource(self) -> ResourceState | None:
        """Return the root stack's entry, where its outputs live."""
        return next((entry for entry in self.resources if entry.is_live and entry.type == "pulumi:pulumi:Stack"), None)


def check_order(resources: Iterable[ResourceState]) -> None:
    """Check the laws of a state: references point backwards, and no urn is live twice. Raises StateError."""
    urns: set[str] = set()
    live: set[str] = set()
    references: set[str] = set()
    for entry in resources:
        for urn in entry.referenced_urns():
            if urn not in urns:
                raise StateError(
                    f"The state is out of order: {entry.urn} refers to {urn}, which does not stand before it"
                )
        if entry.provider and entry.provider not in references:
            raise StateError(
                f"The state is out of order: the provider {entry.provider} does not stand before {entry.urn}"
            )
        if entry.is_live and entry.urn in live:
            raise StateError(f"The state has {entry.urn} twice")
        if entry.is_live:
            live.add(entry.urn)
        urns.add(entry.urn)
        references.add(entry.reference)
