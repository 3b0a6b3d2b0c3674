"""The steward waits, beside the running application, until the schema is there, and then makes the first data.

The ERP may be started before the database answers and before migrations ran: it is alive then, but not ready, and it
needs no restart to become so.
"""

import logging
from threading import Event, Thread

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from erp import first_data, schema
from tshkit.readiness import Check, first_line

PAUSE_S = 0.5

log = logging.getLogger(__name__)


class Steward:
    """A thread that ends when its work is done, and tells meanwhile what it waits for."""

    def __init__(
        self, engine: Engine, sessions: sessionmaker[Session], administrator: first_data.Administrator
    ) -> None:
        self._engine = engine
        self._sessions = sessions
        self._administrator = administrator
        self._stop = Event()
        self._waiting_for: str | None = "has not started"
        self._thread = Thread(target=self._work, name="steward", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def stop(self) -> None:
        """Give up waiting and return when the thread has ended."""
        self._stop.set()
        self._thread.join(timeout=10)

    def check(self) -> Check:
        """Tell whether the first data is there."""
        return Check(ok=self._waiting_for is None, reason=self._waiting_for)

    def _work(self) -> None:
        while not self._stop.is_set():
            reason = self._try()
            if reason != self._waiting_for:
                log.info("First data is there" if reason is None else f"Waiting to make the first data: {reason}")
            self._waiting_for = reason
            if reason is None:
                return
            self._stop.wait(PAUSE_S)

    def _try(self) -> str | None:
        revision = schema.check_revision(self._engine)
        if not revision.ok:
            return revision.reason
        try:
            with self._sessions.begin() as session:
                first_data.ensure(session, self._administrator)
        except SQLAlchemyError as error:
            return first_line(getattr(error, "orig", None) or error)
        return None
