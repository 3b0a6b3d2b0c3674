"""What the last deployment failed with, kept for `greenroom heal`; gone as soon as one comes to its end."""

from __future__ import annotations

__all__ = ["forget_failure", "known_failure", "remember_failure"]

import contextlib
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.durable import save
from infra.errors import GreenroomError

if TYPE_CHECKING:
    from infra.cli.session import Session
    from infra.healing.model import Failure

FAILURE = "failure.json"


def remember_failure(session: Session, error: GreenroomError | None = None) -> Failure:
    """Keep the failure of the run that has just ended, with a typed error or without one; gives it back."""
    from infra.healing.failures import failure_of_error, failure_of_run  # noqa: PLC0415 - a good run needs none
    from infra.healing.healer import stamp  # noqa: PLC0415 - as above

    at = stamp(datetime.now(UTC))
    if error is not None:
        failure = failure_of_error(error, at=at, run=session.last)
    else:
        assert session.last is not None, "a failure without an error is a run's"  # noqa: S101 - for the checker
        failure = failure_of_run(session.last, at=at)
    with contextlib.suppress(GreenroomError):  # without a passphrase there is no state to read, and none was read
        session.console.redactor.add(session.driver.secret_values() if session.driver.exists() else ())
    text = session.console.redactor.mask(json.dumps(asdict(failure), indent=1))
    save(session.directory / FAILURE, text + "\n")
    return failure


def known_failure(session: Session) -> Failure | None:
    """Return what the last deployment failed with; None where it did not fail, or nobody can tell any more."""
    from infra.healing.model import Failure  # noqa: PLC0415 - as above

    try:
        return Failure(**json.loads((session.directory / FAILURE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def forget_failure(session: Session) -> None:
    """Note that the deployment came to its end."""
    (session.directory / FAILURE).unlink(missing_ok=True)
