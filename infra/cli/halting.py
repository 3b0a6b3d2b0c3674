"""How a run of the healer is stopped: by its stop file, by a signal, or by its time being over; noticed within 0.1 s.

Noticing and stopping are two things. A thread looks for the stop file and at the clock; whoever runs something that
takes long says how to cancel it, and that is called at once. The loop itself asks before each act.
"""

from __future__ import annotations

__all__ = ["STOP_FILE", "Halting"]

import contextlib
import math
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from infra.healing.ports import Halt

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

STOP_FILE = "stop"
LOOK_S = 0.1


class Halting:
    """Watches from `with` on. `halt` says why the run must end; None while it may go on."""

    def __init__(self, stop_file: Path, *, say: Callable[[str], None], within_s: float = 0.0) -> None:
        """Without `within_s` only the stop file counts: what runs then has its own way with time and signals."""
        self.halt: Halt | None = None
        self.by_terminal = False
        """Whether the interrupt came from a terminal, which sends it to every process on it."""
        self._stop_file, self._within_s, self._say = stop_file, within_s or math.inf, say
        self._cancel: Callable[[], None] | None = None
        self._lock, self._noticed, self._over = threading.Lock(), threading.Event(), threading.Event()
        self._before: dict[int, Any] = {}
        self._proving = False
        self._watcher = threading.Thread(target=self._watch, name="halting", daemon=True)

    def __enter__(self) -> Self:
        self._until = time.monotonic() + self._within_s
        if self._within_s < math.inf and threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._signalled) for each in (signal.SIGINT, signal.SIGTERM)}
        self._look()
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def sleep(self, seconds: float) -> None:
        """Sleep, or return early when the run is stopped."""
        self._noticed.wait(seconds)

    @contextlib.contextmanager
    def cancelling(self, cancel: Callable[[], None]) -> Generator[None]:
        """Call `cancel` as soon as the run is stopped while the block runs; at once if it was already."""
        with self._lock:
            self._cancel = cancel
        if self.halt:
            cancel()
        try:
            yield
        finally:
            with self._lock:
                self._cancel = None

    @contextlib.contextmanager
    def interrupting(self) -> Generator[None]:
        """Break into the block on the main thread, by KeyboardInterrupt: for work that knows no other way to end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        main = threading.get_ident()

        def interrupt() -> None:
            signal.pthread_kill(main, signal.SIGINT)

        self._proving = True
        try:
            with self.cancelling(interrupt):
                yield
        finally:
            self._proving = False

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        if self.halt is not None:
            return
        if self._stop_file.exists():
            self._stop(Halt("stopped", f"the stop file is there: {self._stop_file}"))
        elif time.monotonic() >= self._until:
            self._stop(Halt("exhausted", f"the {self._within_s:.0f} s of a run are over"))

    def _signalled(self, number: int, _frame: Any) -> None:
        if self.halt is None:
            self.halt = Halt("stopped", f"{signal.Signals(number).name} from outside")
            self.by_terminal = number == signal.SIGINT and sys.stdin.isatty()
            self._noticed.set()
            os.write(2, f"stopping: {self.halt.why}\n".encode())  # a handler may not wait for the console's lock
        if self._proving:
            raise KeyboardInterrupt
        threading.Thread(target=self._cancel_now, daemon=True).start()  # a second signal cancels a second time

    def _stop(self, halt: Halt) -> None:
        self.halt = halt
        self._noticed.set()
        self._say(f"stopping: {halt.why}")
        self._cancel_now()

    def _cancel_now(self) -> None:
        with self._lock:
            cancel = self._cancel
        if cancel:
            cancel()
