"""One operation from its lock to its record: opens a stack, runs it, and leaves everything in order behind it.

What takes long is begun first and side by side: the launcher imports the SDK, providers start, the key is derived,
while this process imports gRPC. Imports that cost are therefore inside the functions that need them.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from localcloud.engine import urn as urns
from localcloud.engine.backend import StackStore, now_rfc3339
from localcloud.engine.control import Control
from localcloud.engine.errors import CancelledError, EngineError, StackNotFoundError
from localcloud.engine.project import Project, StackFile
from localcloud.engine.reporter import Reporter
from localcloud.engine.secrets import Salt, SecretsManager
from localcloud.engine.starting import BUILTIN_PACKAGE, Starter, reserve_port

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from localcloud.engine.backend import Lock
    from localcloud.engine.checkpoint import Encoder
    from localcloud.engine.events import Event, Operation, Result
    from localcloud.engine.project import Configuration
    from localcloud.engine.run import Run
    from localcloud.engine.state import Snapshot

ABANDONED_PATIENCE_S = 0.5
HISTORY_KINDS = {"update": "update", "refresh": "refresh", "destroy": "destroy"}


class Stack:
    """A stack's files, opened together."""

    def __init__(self, root: Path, stack: str, backend: Path, passphrase: str) -> None:
        """Read the project's and the stack's settings. Raises ProjectError or UnsupportedError."""
        self.project = Project.load(root)
        self.name = stack
        self.file = StackFile(self.project, stack)
        self.store = StackStore(backend, self.project.name, stack)
        self._passphrase = passphrase

    def secrets(self, document: Mapping[str, Any] | None) -> SecretsManager:
        """Start deriving the stack's key: under the salt of the settings, of the state, or a new one."""
        from localcloud.engine.checkpoint import salt_of

        text = self.file.salt or (salt_of(document) if document else "")
        return SecretsManager(self._passphrase, Salt.parse(text) if text else None)

    def validate(self, document: Mapping[str, Any]) -> None:
        """Check everything about a state that needs no key. Raises StateError or UnsupportedError naming the file."""
        from localcloud.engine.checkpoint import Decoder

        try:
            Decoder(None).decode(document)
        except EngineError as error:
            raise type(error)(f"{self.store.path}: {error.message}", hint=error.hint) from error

    def secrets_of(self, document: Mapping[str, Any]) -> SecretsManager:
        """Start deriving the key of another stack's state, under its own salt and this stack's passphrase."""
        from localcloud.engine.checkpoint import salt_of

        text = salt_of(document)
        return SecretsManager(self._passphrase, Salt.parse(text) if text else None)

    def read(self) -> Mapping[str, Any]:
        """Return the state's document. Raises StackNotFoundError."""
        document = self.store.read()
        if document is None:
            raise StackNotFoundError(f"There is no stack {self.name!r} of {self.project.name!r} in {self.store.root}")
        return document


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
    ) -> None:
        self._stack = stack
        self._operation: Operation = operation
        self._providers = providers
        self._environment = environment
        self._python = python
        self._parallel = parallel
        self.control = Control(parallel)
        self.reporter = Reporter(operation, on_event)
        self._started_at = time.time()
        self._lock: Lock | None = None
        self._starter: Starter | None = None
        self._holder: socket.socket | None = None
        self._run: Run | None = None

    @property
    def _preview(self) -> bool:
        return self._operation == "preview"

    @property
    def _runs_program(self) -> bool:
        return self._operation in ("preview", "update")

    def cancel(self) -> None:
        """Take an interrupt: the first lets running steps finish, the second abandons them."""
        self.control.cancel()
        if self._run is not None:
            self._run.providers.cancel()

    def execute(self) -> Result:
        """Run the operation. Raises EngineError when it can't begin, or was abandoned."""
        if not self._preview:
            self._lock = self._stack.store.lock()
        try:
            return self._execute()
        finally:
            self._close()

    def _execute(self) -> Result:
        document = self._stack.store.read() if self._runs_program else self._stack.read()
        if document is not None:
            self._stack.validate(document)
        secrets = self._stack.secrets(document)
        port = self._start_early(document)
        from localcloud.engine.monitor import EngineService, Server

        server = Server(port, self._parallel)
        server.serve_engine(EngineService(self.reporter, self.control))
        secrets.verify()
        configuration = self._stack.file.load(secrets)
        run, encoder = self._assemble(document, secrets, configuration)
        self._run = run
        if self.control.is_cancelled:
            run.providers.cancel()
        try:
            self._perform(run, server)
            return self._conclude(run, encoder)
        finally:
            self.control.stop()
            self.control.finish()
            run.providers.close()
            self._stop_processes()
            server.stop()

    def _start_early(self, document: Mapping[str, Any] | None) -> int:
        """Start what the last run used; returns the port the engine will be found at."""
        self._holder, port = reserve_port()
        self._starter = Starter(
            self._stack.project, self._providers, self._environment, self._python, f"127.0.0.1:{port}"
        )
        used = used_providers(document, self._stack.file) if document else []
        if self._runs_program:
            self._starter.launcher()
        self._starter.speculate(used)
        if self._runs_program:
            modules = {
                f"pulumi_{package.replace('-', '_')}" for package, _, _ in used if package != urns.DYNAMIC_PACKAGE
            }
            self._starter.launcher().prepare(sorted(modules))
        return port

    def _assemble(
        self, document: Mapping[str, Any] | None, secrets: SecretsManager, configuration: Configuration
    ) -> tuple[Run, Encoder]:
        from localcloud.engine.builtin import BuiltinClient
        from localcloud.engine.checkpoint import Decoder, Encoder
        from localcloud.engine.journal import Journal
        from localcloud.engine.providers import Providers
        from localcloud.engine.run import Run
        from localcloud.engine.state import Snapshot

        decoder = Decoder(secrets)
        base = decoder.decode(document) if document else Snapshot()
        encoder = Encoder(secrets, decoder.ciphertexts)
        self._hide_secrets(base, configuration)
        assert self._starter is not None  # noqa: S101 - started before
        providers = Providers(
            self._starter,
            self._stack.project,
            configuration,
            base,
            self.reporter,
            lambda: BuiltinClient(self._other_outputs),
            preview=self._preview,
        )
        run = Run(
            project=self._stack.project.name,
            stack=self._stack.name,
            program_directory=self._stack.project.main,
            preview=self._preview,
            parallel=self._parallel,
            base=base,
            configuration=configuration,
            journal=Journal(base, None if self._preview else lambda snapshot: self._write(encoder, snapshot)),
            control=self.control,
            reporter=self.reporter,
            providers=providers,
        )
        return run, encoder

    def _hide_secrets(self, base: Snapshot, configuration: Configuration) -> None:
        from localcloud.engine.values import Secret

        for key in configuration.secret_keys:
            self.reporter.hide(Secret(configuration.values[key]))
        for entry in base.resources:
            self.reporter.hide(entry.inputs)
            self.reporter.hide(entry.outputs)

    def _other_outputs(self, name: str) -> dict[str, Any]:
        from localcloud.engine.queries import other_stack_outputs

        return other_stack_outputs(self._stack, name)

    def _write(self, encoder: Encoder, snapshot: Snapshot) -> None:
        self._stack.store.write(encoder.encode(snapshot, name=self._stack.store.full_name, time=now_rfc3339()))

    def _perform(self, run: Run, server: Any) -> None:
        from localcloud.engine import operations

        if not self._preview:
            self._stack.store.keep_previous()
        _warn_of_pending(run)
        if self._runs_program:
            assert self._starter is not None  # noqa: S101 - started before
            operations.update(run, server, self._starter)
        else:
            server.start()
            (operations.refresh if self._operation == "refresh" else operations.destroy)(run)
        self.control.wait_for_steps()
        if self.control.is_abandoned:
            run.journal.close()
            raise CancelledError(
                "The run was interrupted twice; what was running has been abandoned",
                hint="what was under way is listed as pending in the state; look at it before the next run",
            )

    def _conclude(self, run: Run, encoder: Encoder) -> Result:
        from localcloud.engine.values import masked

        succeeded = not self.reporter.failures and not self.control.is_cancelled
        if self.control.is_cancelled:
            self.reporter.say("error", f"The {self._operation} was canceled")
        snapshot = run.journal.snapshot()
        if not self._preview:
            run.journal.store()
            self._record(run, encoder, snapshot, succeeded=succeeded)
        stack = snapshot.stack_resource()
        outputs = masked(stack.outputs) if stack else {}
        run.providers.close()
        self._stop_processes()
        return self.reporter.result(succeeded=succeeded, outputs=outputs, cancelled=self.control.is_cancelled)

    def _record(self, run: Run, encoder: Encoder, snapshot: Snapshot, *, succeeded: bool) -> None:
        history = {
            "kind": HISTORY_KINDS[self._operation],
            "startTime": int(self._started_at),
            "message": "",
            "environment": {},
            "config": history_config(run.configuration),
            "version": 0,
            "result": "succeeded" if succeeded else "failed",
            "endTime": int(time.time()),
            "resourceChanges": self.reporter.changes,
        }
        checkpoint = encoder.encode(snapshot, name=self._stack.store.full_name, time=now_rfc3339())
        self._stack.store.record(history, checkpoint)

    def _stop_processes(self) -> None:
        if self._starter is not None:
            self._starter.close(patience_s=ABANDONED_PATIENCE_S if self.control.is_abandoned else 5.0)

    def _close(self) -> None:
        self._stop_processes()
        if self._holder is not None:
            self._holder.close()
        if self._lock is not None:
            self._lock.release()


def used_providers(document: Mapping[str, Any], file: StackFile) -> list[tuple[str, str, Mapping[str, str]]]:
    """Return (package, version, own configuration) of each provider the state has, as far as known without the key."""
    from localcloud.engine.checkpoint import resource_documents

    used: list[tuple[str, str, Mapping[str, str]]] = []
    for entry in resource_documents(document):
        kind = entry.get("type", "")
        if not urns.is_provider(kind) or entry.get("delete"):
            continue
        package = urns.package_of(kind)
        own = {} if package == urns.DYNAMIC_PACKAGE else file.plain_namespace(package)
        version = (entry.get("inputs") or {}).get("version") or ""
        if package != BUILTIN_PACKAGE and own is not None and isinstance(version, str):
            used.append((package, version, own))
    return used


def history_config(configuration: Configuration) -> dict[str, Any]:
    """Return the configuration as the history keeps it: objects as JSON text, secrets encrypted."""
    result: dict[str, Any] = {}
    for key, value in configuration.stored.items():
        if key not in configuration.secret_keys:
            result[key] = {"value": configuration.values[key], "secret": False}
        elif isinstance(value, dict) and set(value) == {"secure"}:
            result[key] = {"value": value["secure"], "secret": True}
        else:
            result[key] = {"value": json.dumps(value), "secret": True, "object": True}
    return result


def _warn_of_pending(run: Run) -> None:
    if run.base.pending:
        lines = [f"  * {item.resource.urn}, interrupted while {item.type}" for item in run.base.pending]
        run.reporter.say(
            "warning",
            "The last run was cut short; these resources are in an unknown state:\n" + "\n".join(lines),
        )
