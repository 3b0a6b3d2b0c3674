"""From a registration to the steps that fulfil it.

Registrations are planned one at a time, under one lock: find the old entry, Check, Diff, decide. The steps then run in
parallel with others, and the program gets its answer when they are done. Whatever may itself lead to a registration
(default providers) or may take long (starting a provider's process) happens before the lock is taken.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from localcloud.engine import aliases, planning, values
from localcloud.engine import urn as urns
from localcloud.engine.clients import Diff
from localcloud.engine.control import Stopped
from localcloud.engine.dependents import condemned_dependents
from localcloud.engine.planning import Action
from localcloud.engine.plugins import InitializationError, ProviderError
from localcloud.engine.providers import INTERNAL, identify

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.engine.clients import CheckFailure
    from localcloud.engine.execution import Executor
    from localcloud.engine.goal import Goal
    from localcloud.engine.providers import Client
    from localcloud.engine.run import Run
    from localcloud.engine.state import ResourceState
    from localcloud.engine.values import PropertyMap

SEED_BYTES = 32


class Refused(Exception):  # noqa: N818 - carries a message to where it is reported
    """The registration can't be fulfilled; the message says why."""


class Registrar:
    """Takes registrations for one run."""

    def __init__(self, run: Run, executor: Executor, random: Callable[[int], bytes] = os.urandom) -> None:
        self._run = run
        self._executor = executor
        self._random = random
        self._planning = threading.Lock()
        self._olds: dict[str, ResourceState] = {entry.urn: entry for entry in run.base.resources if entry.is_live}
        self.goals: dict[str, Goal] = {}
        self.entries: dict[str, ResourceState] = {}
        self.matched: dict[str, str] = {}
        """Old urns that were found through an alias, and the urns they are now."""
        self.moved: dict[str, str] = {}
        self.replaced: set[str] = set()
        self._condemned: dict[str, threading.Event] = {}
        """What a delete-before-replace deletes besides its own resource, and when that replacement is over."""
        self._deleting: dict[str, threading.Event] = {}
        """The replacements themselves, by the urns they replace."""

    def register(self, goal: Goal) -> ResourceState:
        """Fulfil a registration and return the entry. Raises Stopped when the run has come to an end instead."""
        reference = self._provider_reference(goal)
        client = self._client(goal, reference)
        with self._planning:
            self._run.control.ensure_going()
            urn = self._name(goal)
            try:
                actions = self._plan(self._inherited(goal), urn, reference, client)
            except (Refused, ProviderError, ValueError, OSError) as error:
                self._run.fail(str(error), urn)
                raise Stopped from error
        self.entries[urn] = self._fulfil(urn, actions, client if urns.is_provider(goal.type) else None)
        return self.entries[urn]

    def _fulfil(self, urn: str, actions: list[Action], fresh: Client | None) -> ResourceState:
        """Execute the steps; what is being deleted for another's sake is made again only when that is over."""
        try:
            if urn in self._condemned:
                self._condemned[urn].wait()
            return self._executor.execute(actions, fresh)
        finally:
            if urn in self._deleting:
                self._deleting[urn].set()

    def _inherited(self, goal: Goal) -> Goal:
        return planning.inherit(goal, self.goals.get(goal.parent))

    def _provider_reference(self, goal: Goal) -> str:
        if not goal.custom or urns.is_provider(goal.type):
            return ""
        return self.reference_for(goal.type, goal.provider, goal.parent, goal.version, goal.plugin_url)

    def reference_for(self, token: str, provider: str, parent: str, version: str, url: str) -> str:
        """Return the provider that serves a type or function: the given, the parent's, or the default one."""
        package = urns.package_of(token)
        if provider:
            return provider
        above = self.goals.get(parent)
        if above is not None and above.provider and planning.may_share(above.provider, package):
            return above.provider
        return self._run.providers.default(package, version, url, lambda goal: self.register(goal).reference)

    def _client(self, goal: Goal, reference: str) -> Client | None:
        """Have the provider's process ready. A provider resource gets a new one of its own.

        Where the world was read first, the process that read it goes on while its configuration is the same: what it
        has loaded, and its connections, are there already.
        """
        try:
            if urns.is_provider(goal.type):
                inputs = _with_version(goal).inputs
                return self._reading_client(goal, inputs) or self._run.providers.open(goal.type, inputs)
            return self._run.providers.client(reference) if reference else None
        except ProviderError as error:
            if not self._run.control.is_stopping:
                self._run.fail(str(error), self._urn(goal))
            raise Stopped from error

    def _reading_client(self, goal: Goal, inputs: PropertyMap) -> Client | None:
        old = self._olds.get(self._urn(goal))
        if old is None or not values.equal(_without_internal(old.inputs), inputs):
            return None
        return self._run.providers.running(old.reference)

    def claim(self, urn: str, goal: Goal) -> ResourceState | None:
        """Take a urn for a resource that is only read; returns the old entry. Raises Stopped when it is taken."""
        with self._planning:
            self._run.control.ensure_going()
            self._name(goal)
            self.goals[urn] = goal
            return self._olds.get(urn)

    def _urn(self, goal: Goal) -> str:
        return urns.build(self._run.stack, self._run.project, goal.parent, goal.type, goal.name)

    def _name(self, goal: Goal) -> str:
        urn = self._urn(goal)
        if urn in self.goals:
            self._run.fail(f"Duplicate resource URN '{urn}'; try giving it a unique name", urn)
            raise Stopped
        if goal.parent and goal.parent not in self.goals:
            self._run.fail(f"The parent {goal.parent} has not been registered", urn)
            raise Stopped
        return urn

    def _plan(self, goal: Goal, urn: str, reference: str, client: Client | None) -> list[Action]:
        old = self._find_old(goal, urn)
        self.goals[urn] = goal
        if urns.is_provider(goal.type):
            goal = _with_version(goal)
        goal = replace(goal, inputs=values.with_hashes(goal.inputs, self._run.program_directory))
        inputs = goal.inputs
        if old is not None and goal.ignore_changes:
            inputs = planning.without_ignored(inputs, old.inputs, goal.ignore_changes)
        self._run.reporter.hide(inputs)
        new = planning.entry_of(goal, urn, reference, inputs)
        recreates = old is not None and (urn in self._condemned or old.external)
        if goal.import_id and (old is None or old.external or goal.import_id not in (old.id, old.import_id)):
            return self._plan_import(goal, old, new, client)
        known = {} if old is None or recreates else old.inputs
        new.inputs = self._checked(client, new, known)
        if old is None:
            return [Action("create", new=new)]
        if recreates:
            return self._recreate(old, new)
        return self._compare(goal, old, new, client)

    def _find_old(self, goal: Goal, urn: str) -> ResourceState | None:
        if urn in self._olds and urn not in self.matched:
            return self._olds[urn]
        for candidate in aliases.candidates(goal, self._run.stack, self._run.project, self.moved):
            old = self._olds.get(candidate)
            if old is None or candidate in self.goals:
                continue
            if candidate in self.matched:
                raise Refused(f"The alias {candidate} of {urn} is already taken by {self.matched[candidate]}")
            self.matched[candidate] = urn
            self.moved[urn] = candidate
            self._run.journal.rename(candidate, urn)
            return old
        return None

    def _checked(self, client: Client | None, new: ResourceState, olds: PropertyMap) -> PropertyMap:
        if client is None:
            return new.inputs
        if urns.is_provider(new.type):
            bare = {key: value for key, value in new.inputs.items() if key != INTERNAL}
            inputs, failures = client.check_config(identify(new), _without_internal(olds), bare)
            if INTERNAL in new.inputs or INTERNAL in olds:
                inputs[INTERNAL] = new.inputs.get(INTERNAL, olds.get(INTERNAL))
        else:
            inputs, failures = client.check(identify(new), olds, new.inputs, self._random(SEED_BYTES))
        if failures:
            raise Refused(failure_text(failures))
        return inputs

    def _recreate(self, old: ResourceState, new: ResourceState) -> list[Action]:
        if old.external:
            return [Action("create-replacement", old, new), Action("replace", old, new)]
        self.replaced.add(new.urn)
        return [Action("replace", old, new), Action("create-replacement", old, new, deletes_first=True)]

    def _compare(self, goal: Goal, old: ResourceState, new: ResourceState, client: Client | None) -> list[Action]:
        outside = self._outside_reasons(old, new)
        diff = planning.compared(outside, old, new.inputs) if outside else self._opinion(client, goal, old, new)
        diff = planning.with_forced_keys(diff, goal.replace_on_changes, has_init_errors=bool(old.init_errors))
        if diff.must_replace or old.pending_replacement:
            return self._replace(goal, old, new, diff, client)
        if diff.changes == "some" or old.init_errors:
            return [Action("update", old, new, planning.shown(diff, old, new))]
        return [Action("same", old, planning.kept(old, new))]

    def _opinion(self, client: Client | None, goal: Goal, old: ResourceState, new: ResourceState) -> Diff:
        if client is None:
            diff = Diff("unknown")
        elif urns.is_provider(new.type):
            diff = client.diff_config(
                identify(new),
                _without_internal(old.inputs),
                _without_internal(old.outputs),
                _without_internal(new.inputs),
            )
        else:
            diff = client.diff(
                identify(new),
                old.id,
                old_inputs=old.inputs,
                olds=old.outputs,
                news=new.inputs,
                ignore_changes=goal.ignore_changes,
            )
        return planning.compared(diff, old, new.inputs)

    def _outside_reasons(self, old: ResourceState, new: ResourceState) -> Diff | None:
        """Look at what can force a replacement besides the inputs."""
        before, after = old.replacement_trigger, new.replacement_trigger
        if values.contains_unknown(after) and not self._run.preview:
            raise Refused("The replacement trigger is unknown")
        if before is not None and after is not None and not values.equal(before, after):
            return planning.forced("replacementTrigger")
        if new.deleted_with in self.replaced:
            return planning.forced("deletedWith")
        if old.provider != new.provider and self._provider_forces_replacement(old, new):
            return planning.forced("provider")
        return None

    def _provider_forces_replacement(self, old: ResourceState, new: ResourceState) -> bool:
        if not old.provider or not new.provider:
            return old.custom != new.custom or bool(old.provider) != bool(new.provider)
        old_urn, _ = urns.split_reference(old.provider)
        new_urn, _ = urns.split_reference(new.provider)
        if self.matched.get(old_urn) == new_urn:
            return False
        before = self._run.base_provider(old.provider)
        after = self.entries.get(new_urn)
        if before is None or after is None:
            return True
        diff = self._run.providers.client(new.provider).diff_config(
            identify(after),
            _without_internal(before.inputs),
            _without_internal(before.outputs),
            _without_internal(after.inputs),
        )
        return diff.must_replace

    def _replace(
        self, goal: Goal, old: ResourceState, new: ResourceState, diff: Diff, client: Client | None
    ) -> list[Action]:
        if old.protect and new.protect:
            raise Refused(
                f"unable to replace resource {new.urn!r}: it is protected; "
                "to allow it, set protect to false in the program and run again"
            )
        if goal.import_id:
            raise Refused(f"The imported resource {new.urn} would have to be replaced")
        new.inputs = self._checked(client, replace_inputs(new, goal, old), {})
        shown = planning.shown(diff, old, new)
        self.replaced.add(new.urn)
        if old.pending_replacement:
            return [
                Action("replace", old, new, shown),
                Action("create-replacement", old, new, shown, deletes_first=True),
            ]
        wants_delete = goal.delete_before_replace
        if wants_delete if wants_delete is not None else diff.delete_before_replace:
            return [
                *self._delete_first(old, new.urn),
                Action("replace", old, new, shown),
                Action("create-replacement", old, new, shown, deletes_first=True),
            ]
        return [Action("create-replacement", old, new, shown), Action("replace", old, new, shown)]

    def _delete_first(self, old: ResourceState, urn: str) -> list[Action]:
        """Return the deletes of the resource and of all that can't live on without it, dependents first."""
        found = condemned_dependents(old, self._run.base.resources, self.goals, self._would_replace)
        targets = [entry for entry in found if entry.urn not in self._condemned]
        protected = [entry.urn for entry in targets if entry.protect]
        if protected:
            raise Refused(f"replacing {old.urn} would delete protected resources first: {', '.join(protected)}")
        over = self._deleting[urn] = threading.Event()
        self._condemned.update(dict.fromkeys((entry.urn for entry in targets), over))
        return [Action("delete-replaced", entry, deletes_first=True) for entry in (*reversed(targets), old)]

    def _would_replace(self, entry: ResourceState, inputs: PropertyMap) -> bool:
        client = self._run.providers.client(entry.provider)
        return client.diff(
            identify(entry), entry.id, old_inputs=entry.inputs, olds=entry.outputs, news=inputs
        ).must_replace

    def _plan_import(
        self, goal: Goal, old: ResourceState | None, new: ResourceState, client: Client | None
    ) -> list[Action]:
        if client is None or urns.is_provider(goal.type):
            raise Refused(f"Only resources of a provider can be imported, not {goal.type}")
        try:
            identity, inputs, outputs = client.read(identify(new), goal.import_id, inputs={}, properties={})
        except InitializationError as error:
            raise Refused(f"The resource {goal.import_id!r} can't be imported: {error}") from error
        if not identity:
            raise Refused(f"The resource {goal.import_id!r} to be imported does not exist")
        imported = new.changed(id=identity, import_id=goal.import_id, inputs=inputs)
        imported.outputs = planning.settled(imported, outputs)
        wanted = new.changed(import_id=goal.import_id)
        if goal.ignore_changes:
            wanted.inputs = planning.without_ignored(wanted.inputs, inputs, goal.ignore_changes)
        wanted.inputs = self._checked(client, wanted, inputs)
        diff = self._opinion(client, goal, imported, wanted)
        if diff.must_replace:
            raise Refused(f"The inputs of the imported resource {goal.import_id!r} would force a replacement")
        return _import_actions(old, imported, wanted, diff)


def _import_actions(
    old: ResourceState | None, imported: ResourceState, wanted: ResourceState, diff: Diff
) -> list[Action]:
    """Import what is there; follow with an update when the program wants something else."""
    if diff.changes == "none":
        imported = planning.kept(imported, wanted)
    first = Action("import" if old is None or old.external else "import-replacement", old, imported)
    if diff.changes == "none":
        return [first]
    return [first, Action("update", imported, wanted, planning.shown(diff, imported, wanted))]


def replace_inputs(new: ResourceState, goal: Goal, old: ResourceState) -> ResourceState:
    """Return the entry with the program's own inputs again, for the second Check of a replacement."""
    inputs = planning.without_ignored(goal.inputs, old.inputs, goal.ignore_changes)
    return new.changed(inputs=inputs)


def failure_text(failures: list[CheckFailure]) -> str:
    """Return check failures as one message, a line for each."""
    return "\n".join(
        f"property {failure.property}: {failure.reason}" if failure.property else failure.reason for failure in failures
    )


def _with_version(goal: Goal) -> Goal:
    """Put the SDK's version of a provider resource where its inputs keep it."""
    if not goal.version or "version" in goal.inputs:
        return goal
    return replace(goal, inputs={**goal.inputs, "version": goal.version})


def _without_internal(inputs: PropertyMap) -> PropertyMap:
    return {key: value for key, value in inputs.items() if key != INTERNAL}
