"""Shows a run while it goes: what runs now, how long already, how far (n of m).

On a terminal one live line stands under the finished steps. Elsewhere each finished step is a plain line, and what
takes long is named again every ten seconds, so that a log shows where the time goes.
"""

from __future__ import annotations

__all__ = ["Progress", "kind_of"]

import threading
import time
from typing import TYPE_CHECKING, Self

from localcloud.engine.events import (
    PHYSICAL_HALVES,
    Diagnostic,
    Event,
    ProgramStarted,
    Step,
    StepFinished,
    StepStarted,
)

if TYPE_CHECKING:
    from infra.cli.console import Console

DOING = {
    "create": "creating",
    "update": "updating",
    "delete": "deleting",
    "replace": "replacing",
    "create-replacement": "creating anew",
    "delete-replaced": "deleting the old",
    "read": "reading",
    "refresh": "asking",
    "same": "checking",
}
DONE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "replace": "replaced",
    "create-replacement": "created anew",
    "delete-replaced": "deleted the old",
    "read": "read",
    "refresh": "asked",
    "same": "unchanged",
}
FOUND = {"update": "differs", "delete": "missing"}
"""What a refresh says of a step: it acts on the state alone."""
REMIND_S = 10.0
PLANS = {"preview", "plan", "look"}
"""Runs whose steps are not acts; what they found is printed at their end."""
TICK_S = 0.25


def kind_of(type_token: str) -> str:
    """Give the last word of a type token: `digitalocean:index/droplet:Droplet` is a Droplet."""
    return type_token.rsplit(":", 1)[-1].rsplit("/", 1)[-1]


def essence(message: str) -> str:
    """Give the typed error at the end of a provider's traceback, its first line only: the whole ends the run."""
    text = message.rstrip()
    _, found, error = text.rpartition("infra.errors.")
    if not (found and "Traceback (most recent call last)" in text):
        return text
    return error.partition(": ")[2].partition("\n")[0]


class Progress:
    """An event sink for one run. `expected` is how many steps it will probably have, 0 when nobody knows."""

    def __init__(self, console: Console, *, expected: int = 0, verb: str = "up") -> None:
        self._console, self._expected, self._verb = console, expected, verb
        self._running: dict[str, tuple[Step, float, float]] = {}
        self._finished = 0
        self._errors: list[str] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._began = time.monotonic()
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._ticker.join()
        self._console.status("")
        if kind is None:  # a typed error says the same once more, and better
            for text in self._errors:
                self._console.say(self._console.style(text, "red"))

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, StepStarted):
            if event.step.op != "same":
                now = time.monotonic()
                with self._lock:
                    self._running[self._key(event.step)] = (event.step, now, now)
        elif isinstance(event, StepFinished):
            self._finish(event.step)
        elif isinstance(event, Diagnostic):
            self._tell(event)
        elif isinstance(event, ProgramStarted):
            self._console.status(f"{self._verb}: loading the program")

    @staticmethod
    def _key(step: Step) -> str:
        return f"{step.op} {step.urn}"

    def _finish(self, step: Step) -> None:
        with self._lock:
            begun = self._key(step)  # a read begins as such and ends as what it found
            self._running.pop(begun if begun in self._running else f"refresh {step.urn}", None)
            if step.op not in PHYSICAL_HALVES:
                self._finished += 1
            position = self._position()
        quiet = step.op in {"same", "refresh", "read"} and not step.diff
        if (quiet or self._verb in PLANS) and not step.failed:
            return
        words = {**DONE, **FOUND} if self._verb == "refresh" else DONE
        word = "failed" if step.failed else words.get(step.op, step.op)
        colour = "red" if step.failed else "yellow" if step.op.startswith("delete") else "green"
        seconds = f"  {step.seconds:.1f} s" if step.seconds >= TICK_S else ""
        word = self._console.style(f"{word:<9}", colour)
        self._console.say(f"{position} {word} {step.name} ({kind_of(step.type)}){seconds}")

    def _tell(self, event: Diagnostic) -> None:
        if event.severity == "debug":
            return
        text = essence(event.message)
        if event.severity == "error":
            self._errors.append(text)
        elif event.severity == "warning":
            self._console.say(self._console.style(text, "yellow"))
        elif text:
            self._console.say(self._console.style("\n".join(f"        {line}" for line in text.splitlines()), "dim"))

    def _position(self) -> str:
        total = max(self._expected, self._finished)
        return f"[{self._finished:>2}/{total}]" if self._expected else f"[{self._finished:>2}]"

    def _tick(self) -> None:
        while not self._stop.wait(TICK_S):
            now = time.monotonic()
            with self._lock:
                running = sorted(self._running.values(), key=lambda entry: entry[1])
                position = self._position()
            if self._console.is_live:
                self._live(running, position, now)
            else:
                self._remind(running, position, now)

    def _live(self, running: list[tuple[Step, float, float]], position: str, now: float) -> None:
        acts = [f"{DOING.get(step.op, step.op)} {step.name} {now - since:.0f} s" for step, since, _ in running]
        what = ", ".join(acts) or self._verb
        self._console.status(f"{position} {now - self._began:4.0f} s  {what}")

    def _remind(self, running: list[tuple[Step, float, float]], position: str, now: float) -> None:
        for step, since, told in running:
            if now - told >= REMIND_S:
                self._console.say(f"{position} still {DOING.get(step.op, step.op)} {step.name}, {now - since:.0f} s")
                with self._lock:
                    if self._key(step) in self._running:
                        self._running[self._key(step)] = (step, since, now)
