"""One operation from its lock to its record.

What takes long is begun first and side by side: the launcher imports the SDK, providers start, the key is derived,
while this process imports gRPC. So nothing that this module imports at its top may import gRPC; `conduct`, which does,
is imported when the others are on their way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.engine import urn as urns
from localcloud.engine.control import Control
from localcloud.engine.reporter import Reporter
from localcloud.engine.stack import used_providers
from localcloud.engine.starting import Starter, reserve_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from localcloud.engine.conduct import Conductor
    from localcloud.engine.events import Event, Operation, Result
    from localcloud.engine.stack import Stack


class Session:
    """One run of one operation."""

    def __init__(
        self,
        stack: Stack,
        operation: Operation,
        *,
        providers: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
        on_event: Callable[[Event], None],
        python: str,
        parallel: int,
        preload: Sequence[str] = (),
        preload_to_read: Sequence[str] = (),
        forget_pending_creates: bool = False,
        looks_only: bool = False,
        refresh_first: bool = False,
    ) -> None:
        self._preload = preload
        self._preload_to_read = preload_to_read
        self._looks_only = looks_only
        self._refresh_first = refresh_first
        self._forget_pending_creates = forget_pending_creates
        self._stack = stack
        self._operation: Operation = operation
        self._providers = providers
        self._environment = environment
        self._python = python
        self._parallel = parallel
        self._control = Control(parallel)
        self._reporter = Reporter(operation, on_event)
        self._conductor: Conductor | None = None

    def cancel(self) -> None:
        """Take an interrupt: the first lets running steps finish, the second abandons them."""
        self._control.cancel()
        if self._conductor is not None:
            self._conductor.cancel_providers()

    def execute(self) -> Result:
        """Run the operation. Raises EngineError when it can't begin, or was abandoned."""
        lock = None if self._operation == "preview" or self._looks_only else self._stack.store.lock()
        try:
            result = self._execute()
        finally:
            if lock is not None:
                lock.release()
        self._reporter.raise_what_the_listener_raised()
        return result

    def _execute(self) -> Result:
        runs_program = self._operation in ("preview", "update")
        document = self._stack.read(required=not runs_program)
        keys = self._stack.keys(document)
        holder, port = reserve_port()
        starter = Starter(self._stack.project, self._providers, self._environment, self._python, port)
        with holder, starter:
            used = used_providers(document, self._stack.file) if document else []
            to_run = self._preload or sdk_modules(package for package, _, _ in used)
            reads_first = self._refresh_first or not runs_program
            starter.launcher().prepare(self._preload_to_read if reads_first else to_run)
            starter.speculate(used)
            if self._refresh_first:
                starter.launcher().prepare(to_run)  # while the providers, which have no need of it, read the world
            from localcloud.engine.conduct import Conductor  # noqa: PLC0415 - see the module's docstring

            self._conductor = Conductor(
                self._stack,
                self._operation,
                self._control,
                self._reporter,
                starter=starter,
                port=port,
                parallel=self._parallel,
                forget_pending_creates=self._forget_pending_creates,
                looks_only=self._looks_only,
                refresh_first=self._refresh_first,
            )
            return self._conductor.run(document, keys)


def sdk_modules(packages: Iterable[str]) -> list[str]:
    """Return the SDK modules of provider packages, by the name that every Pulumi SDK in Python has."""
    return sorted(f"pulumi_{package.replace('-', '_')}" for package in packages if package != urns.DYNAMIC_PACKAGE)
