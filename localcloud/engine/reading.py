"""Reading resources that the program does not own: `.get`, `opts.id` and stack references."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.engine import urn as urns
from localcloud.engine import wire
from localcloud.engine.control import Stopped
from localcloud.engine.errors import UnsupportedError
from localcloud.engine.goal import Goal
from localcloud.engine.planning import Action
from localcloud.engine.state import ResourceState

if TYPE_CHECKING:
    from localcloud.engine.execution import Executor
    from localcloud.engine.registration import Registrar
    from localcloud.engine.run import Run


class Reader:
    """Takes read requests for one run."""

    def __init__(self, run: Run, registrar: Registrar, executor: Executor) -> None:
        self._run = run
        self._registrar = registrar
        self._executor = executor

    def read(self, request: Any) -> ResourceState:
        """Read a resource and return its entry. Raises Stopped when the run has come to an end instead."""
        if request.packageRef or request.pluginChecksums:
            raise UnsupportedError(
                f"{request.name} ({request.type}) uses a parameterized or pinned package: not supported"
            )
        reference = self._registrar.reference_for(
            request.type, request.provider, request.parent, request.version, request.pluginDownloadURL
        )
        urn = urns.build(self._run.stack, self._run.project, request.parent, request.type, request.name)
        goal = Goal(type=request.type, name=request.name, custom=True, parent=request.parent, provider=reference)
        old = self._registrar.claim(urn, goal)
        new = ResourceState(
            urn=urn,
            custom=True,
            type=request.type,
            id=request.id,
            inputs=wire.from_struct(request.properties),
            parent=request.parent,
            external=True,
            dependencies=sorted(set(request.dependencies)),
            provider=reference,
            additional_secret_outputs=list(request.additionalSecretOutputs),
        )
        if old is not None:
            new.created, new.modified = old.created, old.modified
        entry = self._executor.execute(self._actions(old, new))
        self._registrar.entries[urn] = entry
        return entry

    def _actions(self, old: ResourceState | None, new: ResourceState) -> list[Action]:
        """Let go of an owned resource of the same urn when it is the one to be read; replace it when it is another."""
        if old is None or old.external or old.id == new.id:
            return [Action("read", old, new)]
        if old.protect:
            self._run.fail(f"unable to replace resource {new.urn!r} by a read one: it is protected", new.urn)
            raise Stopped
        return [Action("read-replacement", old, new), Action("replace", old, new)]
