"""A steward does, beside the running application, what has to be done once before the application can work.

The service may be started before its database answers: it is alive then, but not ready, and it needs no restart to
become so.
"""

import logging
from collections.abc import Callable
from threading import Event, Thread

from tshkit.checks import Check

PAUSE_S = 0.5

log = logging.getLogger(__name__)


class Steward:
    """A thread that tries until it has succeeded, and tells meanwhile what stands in the way."""

    def __init__(self, task: str, attempt: Callable[[], str | None]) -> None:
        """Take the task's name, and a function that does it and returns None, or returns why it can't yet."""
        self._task = task
        self._attempt = attempt
        self._stop = Event()
        self._obstacle: str | None = "has not started"
        self._thread = Thread(target=self._work, name="steward", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Give up and return when the thread has ended."""
        self._stop.set()
        self._thread.join(timeout=10)

    def check(self) -> Check:
        """Tell whether the task is done."""
        return Check(ok=self._obstacle is None, reason=self._obstacle)

    def _work(self) -> None:
        while not self._stop.is_set():
            obstacle = self._attempt()
            if obstacle is None:
                log.info("%s: done", self._task)
            elif obstacle != self._obstacle:
                log.warning("%s: waiting: %s", self._task, obstacle)
            self._obstacle = obstacle
            if obstacle is None:
                return
            self._stop.wait(PAUSE_S)
