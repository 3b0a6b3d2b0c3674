"""What a run says while it goes: events to the caller, and the record from which its result is made.

Everything passes through here on its way out, so this is where secrets are struck from messages.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localcloud.engine import urn as urns
from localcloud.engine.events import (
    PHYSICAL_HALVES,
    Diagnostic,
    Finished,
    Operation,
    ProgramStarted,
    Result,
    Step,
    StepFinished,
    StepPlanned,
    StepStarted,
)
from localcloud.engine.values import MASK, secret_strings

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.engine.events import Event, PropertyDiff, Severity, StepOperation

SHORTEST_REDACTED = 4


class Reporter:
    """Collects and forwards; safe to use from several threads."""

    def __init__(self, operation: Operation, on_event: Callable[[Event], None]) -> None:
        self._operation: Operation = operation
        self._on_event = on_event
        self._began = time.monotonic()
        self._lock = threading.RLock()
        self._steps: list[Step] = []
        self._changes: dict[str, int] = {}
        self._diagnostics: list[Diagnostic] = []
        self._secrets: set[str] = set()
        self._listener_error: Exception | None = None
        self.failures = 0

    def _tell(self, event: Event) -> None:
        """Deliver an event. A listener that raises hears no more; its error waits until the run is in order."""
        if self._listener_error is None:
            try:
                self._on_event(event)
            except Exception as error:  # noqa: BLE001 - the listener's own, raised again at the end
                self._listener_error = error

    def raise_what_the_listener_raised(self) -> None:
        """Raise the error that ended the delivery of events, if there was one."""
        if self._listener_error is not None:
            raise self._listener_error

    @property
    def at(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    @property
    def changes(self) -> dict[str, int]:
        """How often each operation was done."""
        with self._lock:
            return dict(self._changes)

    def hide(self, value: Any) -> None:
        """Strike the secret strings of a value from everything said from now on."""
        found = secret_strings(value)
        if found:
            with self._lock:
                self._secrets |= {
                    piece for text in found for piece in (text, text.strip()) if len(piece) >= SHORTEST_REDACTED
                }

    def redacted(self, text: str) -> str:
        """Return the text without known secrets."""
        with self._lock:
            for secret in sorted(self._secrets, key=len, reverse=True):
                if secret in text:
                    text = text.replace(secret, MASK)
        return text

    def say(self, severity: Severity, message: str, urn: str = "") -> None:
        """Pass on something to read."""
        diagnostic = Diagnostic(self.at, severity, self.redacted(message), urn)
        with self._lock:
            self._diagnostics.append(diagnostic)
            self._tell(diagnostic)

    def note_failure(self) -> None:
        """Note that the run can't succeed any more; why has been said."""
        with self._lock:
            self.failures += 1

    def fail(self, message: str, urn: str = "") -> None:
        """Report an error; the run can't succeed any more."""
        self.note_failure()
        self.say("error", message, urn)

    def program_started(self) -> None:
        """Tell that the program is on its way."""
        with self._lock:
            self._tell(ProgramStarted(self.at))

    def plan(self, urn: str, operation: StepOperation, diff: tuple[PropertyDiff, ...] = (), identity: str = "") -> Step:
        """Tell of a decided step and return it."""
        step = Step(urn, urns.type_of(urn), urns.name_of(urn), operation, diff, id=identity)
        if not urns.is_default_provider(urn):
            with self._lock:
                self._tell(StepPlanned(self.at, step))
        return step

    def start(self, step: Step) -> None:
        """Tell that a step begins."""
        if not urns.is_default_provider(step.urn):
            with self._lock:
                self._tell(StepStarted(self.at, step))

    def finish(self, step: Step, *, failed: bool, began: float) -> None:
        """Record a step's end; `began` is the `at` of its start."""
        if urns.is_default_provider(step.urn):
            return
        ended = replace(step, seconds=self.at - began, failed=failed)
        with self._lock:
            self._steps.append(ended)
            if not failed and step.op not in PHYSICAL_HALVES:
                self._changes[step.op] = self._changes.get(step.op, 0) + 1
            self._tell(StepFinished(self.at, ended))

    def result(self, *, succeeded: bool, outputs: dict[str, Any], cancelled: bool) -> Result:
        """Return how the run ended, and tell of it."""
        with self._lock:
            result = Result(
                operation=self._operation,
                succeeded=succeeded,
                changes=dict(self._changes),
                steps=list(self._steps),
                outputs=outputs,
                diagnostics=[item for item in self._diagnostics if item.severity != "debug"],
                seconds=self.at,
                cancelled=cancelled,
            )
            self._tell(Finished(self.at, result))
        return result
