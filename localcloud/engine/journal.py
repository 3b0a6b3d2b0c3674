"""The state while it changes: what the last run left, what this run finished, and what is under way.

The order written is the order that holds: entries finished in this run as they finished, then untouched entries of the
base in their old order, so every reference points backwards. Entries are told apart by identity.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localcloud.engine import urn as urns
from localcloud.engine.state import PendingOperation, ResourceState, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from localcloud.engine.values import PropertyMap

PERSISTENT_FIELDS = (
    "urn",
    "type",
    "custom",
    "id",
    "custom_timeouts",
    "retain_on_delete",
    "provider",
    "parent",
    "deleted_with",
    "protect",
    "inputs",
    "outputs",
    "property_dependencies",
    "replacement_trigger",
    "additional_secret_outputs",
    "external",
    "init_errors",
    "pending_replacement",
    "import_id",
    "ignore_changes",
    "hide_diff",
    "replace_on_changes",
)
"""Fields whose change is worth a write when a resource is otherwise the same; `dependencies` too, as a set."""


class Journal:
    """The one place that knows what is to be written; every mutation that counts is written before it returns."""

    def __init__(self, base: Snapshot, write: Callable[[Snapshot], None] | None) -> None:
        """`write` stores a snapshot durably; None in previews, which store nothing."""
        self.base = base
        self._write = write
        self._lock = threading.RLock()
        self._new: list[ResourceState] = []
        self._done: set[ResourceState] = set()
        self._replaced: dict[ResourceState, ResourceState] = {}
        self._pending: list[PendingOperation] = [item for item in base.pending if item.type == "creating"]
        self._renamed: dict[str, str] = {}
        self._is_closed = False

    def close(self) -> None:
        """Write nothing any more, whatever still runs; what was pending stays recorded as pending."""
        with self._lock:
            self._is_closed = True

    def rename(self, old: str, new: str) -> None:
        """Note that a resource has moved to a new urn, so that references to the old one follow."""
        with self._lock:
            self._renamed[old] = new

    @contextmanager
    def operation(self, kind: str, entry: ResourceState) -> Generator[PendingOperation]:
        """Have an operation on record while it runs.

        A failure takes it off the record. A success leaves that to the `put` or `drop` that records what came of it, so
        that no crash can fall between the two.
        """
        pending = PendingOperation(kind, entry)
        with self._lock:
            self._pending.append(pending)
            self._store()
        try:
            yield pending
        except BaseException:
            with self._lock:
                if not self._is_closed:
                    self._pending.remove(pending)
                    self._store()
            raise

    def keep(self, old: ResourceState, new: ResourceState) -> None:
        """Record a resource that stays the same; it is written only if something worth it changed."""
        with self._lock:
            self._done.add(old)
            self._new.append(new)
            if is_worth_a_write(old, new):
                self._store()

    def put(
        self,
        new: ResourceState,
        *,
        instead_of: ResourceState | None = None,
        replacing: ResourceState | None = None,
        ending: PendingOperation | None = None,
    ) -> None:
        """Record a created, updated, read or imported resource.

        It takes the place of the entry `instead_of`; the entry it is `replacing` stays, to be deleted at the end.
        """
        with self._lock:
            self._end(ending)
            if instead_of is not None:
                self._done.add(instead_of)
            if replacing is not None:
                replacing.delete = True
            self._new.append(new)
            self._store()

    def drop(self, old: ResourceState, *, ending: PendingOperation | None = None) -> None:
        """Forget an entry."""
        with self._lock:
            self._end(ending)
            self._done.add(old)
            self._store()

    def await_replacement(self, old: ResourceState, *, ending: PendingOperation | None = None) -> None:
        """Note that an entry's resource has been deleted and is to be made again."""
        with self._lock:
            self._end(ending)
            old.pending_replacement = True
            self._store()

    def _end(self, pending: PendingOperation | None) -> None:
        if pending is not None and not self._is_closed:
            self._pending.remove(pending)

    def forget_pending_creates(self) -> None:
        """Take creates that an earlier run was cut short in off the record."""
        with self._lock:
            self._pending.clear()

    def set_outputs(self, entry: ResourceState, outputs: PropertyMap) -> None:
        """Replace a component's outputs; unchanged ones are not written."""
        with self._lock:
            if entry.outputs != outputs:
                entry.outputs = outputs
                self._store()

    def substitute(self, old: ResourceState, new: ResourceState) -> None:
        """Put a refreshed entry in an old one's place, keeping its position; an unchanged one is not written."""
        with self._lock:
            self._replaced[old] = new
            if is_worth_a_write(old, new):
                self._store()

    def snapshot(self) -> Snapshot:
        """Return the state as it is to be written now."""
        with self._lock:
            untouched = [self._replaced.get(entry, entry) for entry in self.base.resources if entry not in self._done]
            resources = [*self._new, *untouched]
            if self._renamed:
                resources = rewrite_references(resources, self._renamed)
            return Snapshot(tuple(resources), tuple(self._pending), self.base.salt)

    def _store(self) -> None:
        if self._is_closed:
            return
        if self._write is not None:
            self._write(self.snapshot())


def is_worth_a_write(old: ResourceState, new: ResourceState) -> bool:
    """Say whether a resource that is the same differs in anything that later runs look at."""
    return set(old.dependencies) != set(new.dependencies) or any(
        getattr(old, name) != getattr(new, name) for name in PERSISTENT_FIELDS
    )


def rewrite_references(resources: list[ResourceState], renamed: dict[str, str]) -> list[ResourceState]:
    """Return the entries with every reference to a renamed urn rewritten.

    A child that has not been registered yet carries its parent's old type in its own urn, so it is renamed too.
    """
    names = dict(renamed)
    result: list[ResourceState] = []
    for entry in resources:
        parent = names.get(entry.parent, entry.parent)
        if parent != entry.parent:
            parts = urns.parse(entry.urn)
            moved = urns.build(parts.stack, parts.project, parent, parts.type, parts.name)
            if moved != entry.urn:
                names.setdefault(entry.urn, moved)
        result.append(entry.with_renamed(names))
    return result
