"""Running the engine, and what goes with it: secrets first, the status afterwards, the proof of what has changed."""

from __future__ import annotations

__all__ = ["UNEXPECTED", "audited", "converge", "print_document", "require_secrets", "status"]

from typing import TYPE_CHECKING

from infra.cli.failed import forget_failure, remember_failure
from infra.cli.progress import Progress
from infra.cli.render import changed_steps, document_of, summary
from infra.errors import ConfigurationError, GreenroomError

if TYPE_CHECKING:
    from infra.cli.session import Session
    from localcloud.engine import Result

FAILED, STEP_FAILED, UNEXPECTED, CANCELLED = 1, 4, 7, 8


def converge(session: Session, *, refresh: bool, skip_verify: bool, quiet: bool = False) -> int:
    """Run the engine and prove the result; `quiet` prints no document, for a verb that has one of its own.

    What it fails with is kept for `heal`; what it changed, or failed to, is in the audit log.
    """
    try:
        return _converge(session, refresh=refresh, skip_verify=skip_verify, quiet=quiet)
    except GreenroomError as error:
        remember_failure(session, error)
        if session.last is not None:
            audited(session, "up", error.message.splitlines()[0])
        raise


def _converge(session: Session, *, refresh: bool, skip_verify: bool, quiet: bool) -> int:
    require_secrets(session)
    session.open_cloud()
    expected = session.expected_steps() or _plan(session)
    with Progress(session.console, expected=expected, verb="up") as progress:
        result = session.run(lambda: session.driver.up(refresh=refresh), progress)
    if code := status(session, result):
        print_document(session, "up", result, quiet=quiet, verification=None)
        if not result.cancelled:
            remember_failure(session)
        audited(session, "up")
        return code
    forget_failure(session)
    changed = bool(changed_steps(result))
    if changed:
        audited(session, "up")
    session.console.say(f"{session.stack}: {summary(result) if changed else f'no change, {result.seconds:.1f} s'}")

    from infra.cli.proof import last_verification, prove  # noqa: PLC0415 - a run without change reads one file of it

    code = 0
    if changed and not skip_verify:
        verification, code = prove(session, mirrors=True)
    else:
        verification = last_verification(session)
        session.console.say(f"last verification: {verification['summary'] if verification else 'none yet'}")
    print_document(session, "up", result, quiet=quiet, verification=verification)
    if not session.as_json:
        session.console.data(str(result.outputs.get("url", "")))
    return code


def audited(session: Session, verb: str, failure: str = "") -> None:
    """Append the run of the engine that has just ended to the audit log; one without any change is none."""
    result = session.last
    if result is None or not (result.steps or failure):
        return
    changes = changed_steps(result)
    if not (changes or failure) and result.succeeded:
        return
    from infra.cli.audit import append  # noqa: PLC0415 - a run that changes nothing appends nothing

    outcome = "succeeded" if result.succeeded else "cancelled" if result.cancelled else "failed"
    append(
        session,
        verb,
        session.stack,
        arguments={f"{each.op} {each.name}": "failed" if each.failed else "done" for each in changes},
        why="asked on the command line",
        after=failure or summary(result),
        outcome=outcome,
    )


def require_secrets(session: Session) -> None:
    """Refuse bad secrets before anything is touched; once one is bad, every source is asked, and all are named."""
    facts = session.facts
    if not facts.environment_secrets and not facts.unset_secrets:
        return
    try:
        facts.require_secrets()
    except ConfigurationError as error:
        from infra.cli.secret import every_problem  # noqa: PLC0415 - loads pydantic; good secrets don't need it

        raise every_problem(session) or error from None


def _plan(session: Session) -> int:
    """Count the steps of a first deployment; later ones are counted from the run before."""
    session.console.say("planning the first deployment")
    with Progress(session.console, verb="plan") as progress:
        result = session.run(session.driver.preview, progress)
    return len(result.steps) if result.succeeded else 0


def status(session: Session, result: Result) -> int:
    """Give the exit code of a run, and say what failed."""
    if result.succeeded:
        return 0
    failed = [step.name for step in result.steps if step.failed]
    if result.cancelled:
        session.console.say(f"{session.stack}: cancelled; what was running has finished and is recorded")
        return CANCELLED
    session.console.say(f"{session.stack}: failed{' at ' + ', '.join(failed) if failed else ''}")
    if result.operation in {"update", "destroy"}:
        verb = "up" if result.operation == "update" else "destroy"
        session.console.say(f"  next: greenroom {verb} -s {session.stack}   (goes on where it stopped)")
    return STEP_FAILED if failed else FAILED


def print_document(session: Session, verb: str, result: Result, *, quiet: bool = False, **more: object) -> None:
    """Print a run as one document, where a document was asked for."""
    if session.as_json and not quiet:
        document = document_of(verb, session.stack, result, outputs=result.outputs, **more)
        session.console.document(document)
