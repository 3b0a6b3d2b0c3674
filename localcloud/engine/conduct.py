"""Conducting a run: assembles its parts, performs the operation, and records how it ended."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from localcloud.engine import operations
from localcloud.engine.backend import now_rfc3339
from localcloud.engine.builtin import BuiltinClient
from localcloud.engine.checkpoint import Decoder, Encoder
from localcloud.engine.errors import CancelledError
from localcloud.engine.files import json_document
from localcloud.engine.journal import Journal
from localcloud.engine.monitor import EngineService, Server
from localcloud.engine.providers import Providers
from localcloud.engine.queries import other_stack_outputs
from localcloud.engine.run import Run
from localcloud.engine.state import Snapshot
from localcloud.engine.values import Secret, masked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.engine.control import Control
    from localcloud.engine.events import Operation, Result
    from localcloud.engine.project import Configuration
    from localcloud.engine.reporter import Reporter
    from localcloud.engine.stack import Keys, Stack
    from localcloud.engine.starting import Starter

ABANDONED_PATIENCE_S = 0.5


class Conductor:
    """Leads one run through its stages."""

    def __init__(
        self,
        stack: Stack,
        operation: Operation,
        control: Control,
        reporter: Reporter,
        *,
        starter: Starter,
        port: int,
        parallel: int,
        forget_pending_creates: bool,
        looks_only: bool,
        refresh_first: bool,
    ) -> None:
        self._forget_pending_creates = forget_pending_creates
        self._refresh_first = refresh_first
        self._stack = stack
        self._operation: Operation = operation
        self._control = control
        self._reporter = reporter
        self._starter = starter
        self._port = port
        self._parallel = parallel
        self._is_preview = operation == "preview" or looks_only
        self._started_at = time.time()
        self._providers: Providers | None = None

    def cancel_providers(self) -> None:
        """Pass an interrupt on to the providers."""
        if self._providers is not None:
            self._providers.cancel()

    def run(self, document: Mapping[str, Any] | None, keys: Keys) -> Result:
        """Run the operation on the state. Raises EngineError when it can't begin, or was abandoned."""
        server = Server(self._port, self._parallel)
        server.serve_engine(EngineService(self._reporter, self._control))
        keys.verify()
        configuration = self._stack.file.load(keys.ours)
        decoder = Decoder(keys.state)
        base = decoder.decode(document) if document else Snapshot()
        encoder = Encoder(keys.ours, decoder.ciphertexts if keys.ours is keys.state else {})
        self._hide_secrets(base, configuration)
        run = self._assemble(base, configuration, encoder)
        try:
            run = self._perform(run, server, encoder)
            return self._conclude(run, encoder)
        finally:
            self._control.stop()
            self._control.finish()
            self._end_processes(run)
            server.stop()

    def _assemble(self, base: Snapshot, configuration: Configuration, encoder: Encoder) -> Run:
        self._providers = Providers(
            self._starter,
            self._stack.project,
            configuration,
            base,
            self._reporter,
            builtin=lambda: BuiltinClient(lambda name: other_stack_outputs(self._stack, name)),
            preview=self._is_preview,
        )
        if self._control.is_cancelled:
            self._providers.cancel()
        return Run(
            project=self._stack.project.name,
            stack=self._stack.name,
            program_directory=self._stack.project.main,
            preview=self._is_preview,
            parallel=self._parallel,
            base=base,
            configuration=configuration,
            journal=self._journal(base, encoder),
            control=self._control,
            reporter=self._reporter,
            providers=self._providers,
        )

    def _journal(self, base: Snapshot, encoder: Encoder) -> Journal:
        return Journal(base, None if self._is_preview else lambda snapshot: self._write(encoder, snapshot))

    def _renewed(self, run: Run, encoder: Encoder) -> Run:
        """Return the run that goes on from what the one before has read."""
        snapshot = run.journal.snapshot()
        return replace(run, base=snapshot, journal=self._journal(snapshot, encoder))

    def _hide_secrets(self, base: Snapshot, configuration: Configuration) -> None:
        for key in configuration.secret_keys:
            self._reporter.hide(Secret(configuration.values[key]))
        for entry in base.resources:
            self._reporter.hide(entry.inputs)
            self._reporter.hide(entry.outputs)

    def _write(self, encoder: Encoder, snapshot: Snapshot) -> None:
        """Write the state between two steps; only the last state of a run is laid out for readers."""
        document = encoder.encode(snapshot, name=self._stack.store.full_name, time=now_rfc3339())
        self._stack.store.write(json_document(document, readable=False))

    def _perform(self, run: Run, server: Server, encoder: Encoder) -> Run:
        """Perform the operation; returns the run as it ended."""
        if not self._is_preview:
            self._stack.store.keep_previous()
        _warn_of_pending(run)
        if self._operation in ("preview", "update"):
            renewed = partial(self._renewed, encoder=encoder) if self._refresh_first else None
            run = operations.update(run, server, self._starter, renewed=renewed)
        else:
            server.start()
            if self._operation == "destroy":
                operations.destroy(run)
            else:
                operations.refresh(run, forget_pending_creates=self._forget_pending_creates)
        self._control.wait_for_steps()
        if self._control.is_abandoned:
            run.journal.close()
            self._starter.patience_s = ABANDONED_PATIENCE_S
            raise CancelledError(
                "The run was interrupted twice; what was running has been abandoned",
                hint="what was under way is listed as pending in the state; look at it before the next run",
            )
        return run

    def _conclude(self, run: Run, encoder: Encoder) -> Result:
        cancelled = self._control.is_cancelled
        succeeded = not self._reporter.failures and not cancelled
        if cancelled:
            self._reporter.say("error", f"The {self._operation} was canceled")
        snapshot = run.journal.snapshot()
        ending = threading.Thread(target=self._end_processes, args=(run,))  # which takes as long as the record
        ending.start()
        try:
            if not self._is_preview:
                document = encoder.encode(snapshot, name=self._stack.store.full_name, time=now_rfc3339())
                self._record(document, run, succeeded)
            stack = snapshot.stack_resource()
            outputs = masked(stack.outputs) if stack else {}
        finally:
            ending.join()
        return self._reporter.result(succeeded=succeeded, outputs=outputs, cancelled=cancelled)

    def _end_processes(self, run: Run) -> None:
        run.providers.close()
        self._starter.close()

    def _record(self, checkpoint: dict[str, Any], run: Run, succeeded: bool) -> None:  # noqa: FBT001 - private
        text = json_document(checkpoint)
        self._stack.store.write(text)
        history = {
            "kind": self._operation,
            "startTime": int(self._started_at),
            "message": "",
            "environment": {},
            "config": history_config(run.configuration),
            "version": 0,
            "result": "succeeded" if succeeded else "failed",
            "endTime": int(time.time()),
            "resourceChanges": self._reporter.changes,
        }
        self._stack.store.record(history, text)


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
