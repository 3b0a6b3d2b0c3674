"""Executing steps: each operation's provider call, and what it leaves in the state.

A step holds one of the run's parallel slots. Operations that change the outside world are on record as pending while
they run. In a preview the provider is asked what would happen, where it can tell, and nothing is recorded.
"""

from __future__ import annotations

import uuid
from contextlib import nullcontext
from typing import TYPE_CHECKING

from localcloud.engine import planning, values
from localcloud.engine import urn as urns
from localcloud.engine.backend import now_rfc3339
from localcloud.engine.control import Stopped
from localcloud.engine.plugins import InitializationError, ProviderError
from localcloud.engine.providers import INTERNAL, identify

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import AbstractContextManager

    from localcloud.engine.planning import Action
    from localcloud.engine.providers import Client
    from localcloud.engine.run import Run
    from localcloud.engine.state import PendingOperation, ResourceState


class StepFailed(Exception):  # noqa: N818 - carries a message to where it is reported
    """A step could not be done; the message says why."""


class Executor:
    """Executes actions for one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._deleted: set[str] = set()
        self._operations: dict[str, Callable[[Action, Client | None], None]] = {
            "same": self._same,
            "create": self._create,
            "create-replacement": self._create,
            "update": self._update,
            "replace": self._replace,
            "delete": self._delete,
            "delete-replaced": self._delete,
            "discard": self._discard,
            "discard-replaced": self._discard,
            "read": self._read,
            "read-replacement": self._read,
            "import": self._import,
            "import-replacement": self._import,
        }

    def condemn(self, urns_deleted: Collection[str]) -> None:
        """Say what else this run deletes: resources bound to one of these by deletedWith need no call of their own."""
        self._deleted.update(urns_deleted)

    def execute(
        self, actions: Sequence[Action], fresh: Client | None = None, *, despite_failure: bool = False
    ) -> ResourceState:
        """Execute a chain of steps; returns the entry that the last one leads to.

        `fresh` is the process made for a provider resource. Raises Stopped when a step fails, or may not start because
        something failed before (unless it is to run `despite_failure`) or the run was cancelled.
        """
        self.condemn([action.entry.urn for action in actions if action.op == "delete-replaced"])
        steps = [self._run.reporter.plan(a.entry.urn, a.op, a.diff, a.entry.id) for a in actions]
        for action, step in zip(actions, steps, strict=True):
            with self._run.control.step(despite_failure=despite_failure):
                reporter = self._run.reporter
                began = reporter.at
                reporter.start(step)
                try:
                    self._operations[action.op](action, fresh)
                except (StepFailed, ProviderError, OSError) as error:
                    reporter.finish(step, failed=True, began=began)
                    self._report(action, error)
                    raise Stopped from error
                reporter.finish(step, failed=False, began=began)
        return actions[-1].entry

    def _report(self, action: Action, error: Exception) -> None:
        verb = action.op.removesuffix("-replacement").removesuffix("-replaced")
        reasons = "".join(f"\n  * {reason}" for reason in getattr(error, "reasons", ()))
        self._run.fail(f"{verb} failed: {error}{reasons}", action.entry.urn)

    def _pending(self, kind: str, entry: ResourceState) -> AbstractContextManager[PendingOperation | None]:
        return nullcontext() if self._run.preview else self._run.journal.operation(kind, entry)

    def _client(self, entry: ResourceState) -> Client:
        return self._run.providers.client(entry.provider)

    def _same(self, action: Action, fresh: Client | None) -> None:
        old, new = _both(action)
        if fresh is not None:
            self._run.providers.bind(fresh, new, old.inputs)
        self._run.journal.keep(old, new)

    def _create(self, action: Action, fresh: Client | None) -> None:
        new = action.new
        assert new is not None  # noqa: S101 - a create has a new state
        if fresh is not None:
            new.id = values.UNKNOWN_STRING if self._run.preview else str(uuid.uuid4())
            new.outputs = {key: value for key, value in new.inputs.items() if key != INTERNAL}
            self._run.providers.bind(fresh, new, new.inputs)
            new.created = new.modified = now_rfc3339()
            self._record(action, new)
        elif new.custom:
            self._create_custom(action, new)
        else:
            new.created = new.modified = now_rfc3339()
            self._record(action, new)

    def _create_custom(self, action: Action, new: ResourceState) -> None:
        client = self._client(new)
        failure: InitializationError | None = None
        with self._pending("creating", new) as pending:
            try:
                identity, outputs = client.create(identify(new), new.inputs, new.custom_timeouts.get("create", 0))
            except InitializationError as error:
                failure = error
                identity, outputs = error.identity, values.remark(error.properties, new.inputs)
                new.init_errors = error.reasons or [str(error)]
        new.id = identity
        new.outputs = planning.settled(new, outputs)
        self._run.reporter.hide(new.outputs)
        new.created = new.modified = now_rfc3339()
        self._record(action, new, pending)
        if failure is not None:
            raise failure

    def _record(self, action: Action, new: ResourceState, ending: PendingOperation | None = None) -> None:
        """Record a new entry; the one it replaces stays until the end, unless it has been deleted already."""
        old = action.old
        if action.op in ("create-replacement", "import-replacement", "read-replacement") and not action.deletes_first:
            self._run.journal.put(new, replacing=old, ending=ending)
        else:
            self._run.journal.put(new, instead_of=old, ending=ending)

    def _replace(self, action: Action, _fresh: Client | None) -> None:
        """Do nothing: this step only names what the two halves around it mean together."""

    def _update(self, action: Action, fresh: Client | None) -> None:
        old, new = _both(action)
        new.id, new.created, new.modified = old.id, old.created, old.modified
        new.import_id = new.import_id or old.import_id
        if fresh is not None:
            new.outputs = {key: value for key, value in new.inputs.items() if key != INTERNAL}
            self._run.providers.bind(fresh, new, new.inputs)
            new.modified = now_rfc3339()
        elif new.custom:
            self._update_custom(old, new)
            return
        else:
            new.outputs = old.outputs
        self._run.journal.put(new, instead_of=old)

    def _update_custom(self, old: ResourceState, new: ResourceState) -> None:
        client = self._client(new)
        failure: InitializationError | None = None
        with self._pending("updating", new) as pending:
            try:
                outputs = client.update(
                    identify(new),
                    old.id,
                    old_inputs=old.inputs,
                    olds=old.outputs,
                    news=new.inputs,
                    timeout_s=new.custom_timeouts.get("update", 0),
                    ignore_changes=new.ignore_changes,
                )
            except InitializationError as error:
                failure = error
                outputs = values.remark(error.properties, new.inputs)
                new.init_errors = error.reasons or [str(error)]
        new.outputs = planning.settled(new, outputs)
        if failure is not None:
            new.inputs = old.inputs
        self._run.reporter.hide(new.outputs)
        new.modified = now_rfc3339()
        self._run.journal.put(new, instead_of=old, ending=pending)
        if failure is not None:
            raise failure

    def _delete(self, action: Action, _fresh: Client | None) -> None:
        old = action.entry
        if old.protect and action.op == "delete":
            raise StepFailed(
                f"resource {old.urn!r} cannot be deleted because it is protected; "
                "to unprotect it, set protect to false in the program and run again"
            )
        pending: PendingOperation | None = None
        if self._needs_call(old) and not self._run.preview:
            with self._pending("deleting", old) as pending:
                self._client(old).delete(
                    identify(old),
                    old.id,
                    old_inputs=old.inputs,
                    olds=old.outputs,
                    timeout_s=old.custom_timeouts.get("delete", 0),
                )
        if action.deletes_first:
            self._run.journal.await_replacement(old, ending=pending)
        else:
            self._run.journal.drop(old, ending=pending)

    def _needs_call(self, old: ResourceState) -> bool:
        """Say whether the provider has to be asked to delete."""
        if not old.custom or urns.is_provider(old.type) or old.external or old.retain_on_delete:
            return False
        return old.deleted_with not in self._deleted

    def _discard(self, action: Action, _fresh: Client | None) -> None:
        self._run.journal.drop(action.entry)

    def _read(self, action: Action, _fresh: Client | None) -> None:
        new = action.new
        assert new is not None  # noqa: S101 - a read has a new state
        pending: PendingOperation | None = None
        if new.id != values.UNKNOWN_STRING:
            with self._pending("reading", new) as pending:
                identity, _, outputs = self._client(new).read(
                    identify(new), new.id, inputs=new.inputs, properties=new.inputs
                )
                if not identity:
                    raise StepFailed(f"resource {new.id!r} does not exist")
            new.id = identity
            new.outputs = planning.settled(new, outputs)
        self._run.reporter.hide(new.outputs)
        self._record(action, new, pending)

    def _import(self, action: Action, _fresh: Client | None) -> None:
        new = action.new
        assert new is not None  # noqa: S101 - an import has a new state
        new.created = new.modified = now_rfc3339()
        self._record(action, new)


def _both(action: Action) -> tuple[ResourceState, ResourceState]:
    assert action.old is not None  # noqa: S101 - such a step has both states
    assert action.new is not None  # noqa: S101
    return action.old, action.new
