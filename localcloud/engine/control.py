"""Who may still start something: how a run is brought to a halt.

After a failure, or the first interrupt, no step starts; those that run are let finish. After a second interrupt they
are abandoned. Threads that may not go on get `Stopped`, which is no error of its own: the reason has been reported.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class Stopped(Exception):  # noqa: N818 - a signal to unwind, not an error
    """The run is ending; whoever waits for a step gets this instead."""


class Control:
    """The state of one run's progress; all methods are thread-safe."""

    def __init__(self, parallel: int) -> None:
        self._slots = threading.BoundedSemaphore(parallel)
        self._changed = threading.Condition()
        self._running = 0
        self.is_stopping = False
        self.is_cancelled = False
        self.is_abandoned = False
        self.is_program_done = False
        self.program_status: int | None = None
        self.is_finished = False

    def ensure_going(self) -> None:
        """Raise Stopped when nothing new may start."""
        if self.is_stopping:
            raise Stopped

    @contextmanager
    def step(self, *, despite_failure: bool = False, counted: bool = True) -> Generator[None]:
        """Occupy one of the parallel slots for a step, unless others count it. Raises Stopped when it may not start."""
        with self._slots if counted else nullcontext():
            with self._changed:
                if self.is_cancelled or not despite_failure:
                    self.ensure_going()
                self._running += 1
            try:
                yield
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

    def stop(self) -> None:
        """Let nothing new start."""
        self._set(is_stopping=True)

    def cancel(self) -> None:
        """Take an interrupt: the first stops the run, the second abandons it."""
        self._set(is_stopping=True, is_cancelled=True, is_abandoned=self.is_cancelled)

    def program_called_done(self) -> None:
        """Note that the program has nothing more to register."""
        self._set(is_program_done=True)

    def program_ended(self, status: int) -> None:
        """Note that the program's process is gone."""
        self._set(program_status=status)

    def finish(self) -> None:
        """Release those who wait for the run's end."""
        self._set(is_finished=True)

    def _set(self, **flags: bool | int) -> None:
        with self._changed:
            for name, value in flags.items():
                setattr(self, name, value)
            self._changed.notify_all()

    def wait_for_program(self) -> None:
        """Wait until the program is done or gone, or the run is to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_program_done or self.program_status is not None or self.is_stopping)

    def wait_for_steps(self) -> None:
        """Wait until no step runs, or what runs has been abandoned."""
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0 or self.is_abandoned)

    def wait_for_finish(self) -> None:
        """Wait for the run's end."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_finished)
