"""The healer's runs of the engine: going on with a deployment, and looking at what is not as declared.

A stop cancels the run: what runs is let finish, and abandoned where that takes too long. How a run ended is told as the
failure that it is; nothing of the engine's own errors gets further than here.
"""

from __future__ import annotations

__all__ = ["EngineRuns"]

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infra.cli.drift import world as drift_of
from infra.cli.progress import Progress
from infra.cli.render import changed_steps, summary
from infra.cli.runs import require_secrets
from infra.errors import GreenroomError
from infra.healing.failures import failure_of_error, failure_of_run
from infra.healing.model import Failure
from infra.ops.drift import in_program
from localcloud.engine import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from infra.cli.halting import Halting
    from infra.cli.session import Session
    from localcloud.engine import Event, Result

CANCEL_PATIENCE_S = 20.0
"""How long a cancelled run of the engine may take to let its running steps finish, before they are abandoned."""


class EngineRuns:
    """The engine of one stack, as one run of the healer uses it; `at` tells the time for the record."""

    def __init__(self, session: Session, halting: Halting, *, at: Callable[[], str]) -> None:
        self._session, self._halting, self._at = session, halting, at

    def up(self, *, refresh: bool) -> tuple[Failure | None, str]:
        """Run the program; gives the failure, None where it came to its end, and the run in a few words."""
        session = self._session
        session.last = None
        try:
            require_secrets(session)
            with self._cancellable(), Progress(session.console, expected=session.expected_steps()) as progress:
                result = session.run(lambda: session.driver.up(refresh=refresh), progress)
        except GreenroomError as error:
            return failure_of_error(error, at=self._at(), run=session.last), error.message.splitlines()[0]
        except EngineError as error:
            said = str(getattr(error, "message", error))
            refused = Failure("provision", "RUN_REFUSED", phase="run", evidence=said, at=self._at())
            return refused, said.splitlines()[0]
        if result.succeeded:
            return None, summary(result)
        return failure_of_run(result, at=self._at()), summary(result)

    def changes(self) -> dict[str, str]:
        """Tell what the last run of the program did to which resource: {"update compose-stack": "done"}."""
        steps = changed_steps(self._session.last) if self._session.last else []
        return {f"{each.op} {each.name}": "failed" if each.failed else "done" for each in steps}

    def drift(self) -> list[dict[str, Any]]:
        """Look at cloud and host; what could not be looked at is no drift."""
        result = self._seen("drift", self._session.driver.look)
        return [each.document() for each in drift_of(self._session, result)] if result else []

    def undeployed(self) -> list[str]:
        """Name what the settings ask for and the state does not have; what can't be planned is not named.

        Settings that are the deployed ones ask for nothing new: what a plan shows then is drift, or what a run that was
        cut short has left to be made.
        """
        if self._session.is_deployed_as_set():
            return []
        result = self._seen("plan", self._session.driver.preview)
        return [each.what for each in in_program(changed_steps(result))] if result and result.succeeded else []

    def _seen(self, what: str, look: Callable[[], Result]) -> Result | None:
        """Have the engine look; None, and said so, where it can't."""
        if not self._session.driver.exists():
            return None
        try:
            with self._cancellable():
                return self._session.run(look, _quietly)
        except (GreenroomError, EngineError) as error:
            self._session.console.say(f"no {what} is known: {getattr(error, 'message', error)}")
            return None

    @contextmanager
    def _cancellable(self) -> Generator[None]:
        """Cancel the engine's run in this block when the healer is stopped; abandon it where that takes too long."""
        driver, later = self._session.driver, list[threading.Timer]()

        def cancel() -> None:
            driver.cancel(told=self._halting.by_terminal)
            timer = threading.Timer(CANCEL_PATIENCE_S, driver.cancel)
            timer.daemon = True
            timer.start()
            later.append(timer)

        try:
            with self._halting.cancelling(cancel):
                yield
        finally:
            for timer in later:
                timer.cancel()


def _quietly(_event: Event) -> None:
    """Show nothing of a look: what it found is told with its cause."""
