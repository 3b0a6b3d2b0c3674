"""The verbs that run the engine: preview, up, refresh, destroy."""

from __future__ import annotations

__all__ = ["converge", "destroy", "preview", "refresh", "up"]

import sys
from typing import TYPE_CHECKING

import click

from infra.cli.options import with_session
from infra.cli.progress import Progress
from infra.cli.render import changed_steps, document_of, explain, summary
from infra.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from infra.cli.session import Session
    from localcloud.engine import Result

FAILED, STEP_FAILED, UNEXPECTED, CANCELLED = 1, 4, 7, 8


@click.command()
@click.option("--expect-no-changes", is_flag=True, help="Exit 7 when something would change.")
@with_session()
def preview(session: Session, *, expect_no_changes: bool) -> int:
    """Show what `up` would change, down to the property; changes nothing."""
    _require_secrets(session)
    session.open_cloud()
    with Progress(session.console, verb="preview") as progress:
        result = session.run(session.driver.preview, progress)
    if session.as_json:
        session.console.document(document_of("preview", session.stack, result))
    else:
        for line in explain(result, _known_drift(session, result)):
            session.console.data(line)
        session.console.say(f"{session.stack}: {summary(result)}")
    if result.succeeded and expect_no_changes and changed_steps(result):
        return UNEXPECTED
    return _status(session, result)


@click.command()
@click.option("--refresh", is_flag=True, help="Read cloud and hosts first, and mend what was changed by hand.")
@click.option("--skip-verify", is_flag=True, help="Don't run the proof after a change.")
@with_session()
def up(session: Session, *, refresh: bool, skip_verify: bool) -> int:
    """Make the stack what its settings say; a run that changed something is proved at once."""
    return converge(session, refresh=refresh, skip_verify=skip_verify)


def converge(session: Session, *, refresh: bool, skip_verify: bool, quiet: bool = False) -> int:
    """Run the engine and prove the result; `quiet` prints no document, for a verb that has one of its own."""
    _require_secrets(session)
    session.open_cloud()
    expected = session.expected_steps() or _plan(session)
    with Progress(session.console, expected=expected, verb="up") as progress:
        result = session.run(lambda: session.driver.up(refresh=refresh), progress)
    if code := _status(session, result):
        _document(session, "up", result, quiet=quiet, verification=None)
        return code
    changed = bool(changed_steps(result))
    session.console.say(f"{session.stack}: {summary(result) if changed else f'no change, {result.seconds:.1f} s'}")

    from infra.cli.proof import last_verification, prove  # noqa: PLC0415 - a run without change reads one file of it

    code = 0
    if changed and not skip_verify:
        verification, code = prove(session)
    else:
        verification = last_verification(session)
        session.console.say(f"last verification: {verification['summary'] if verification else 'none yet'}")
    _document(session, "up", result, quiet=quiet, verification=verification)
    if not session.as_json:
        session.console.data(str(result.outputs.get("url", "")))
    return code


@click.command()
@click.option("--expect-no-changes", is_flag=True, help="Exit 7 when something has drifted.")
@with_session()
def refresh(session: Session, *, expect_no_changes: bool) -> int:
    """Name everything that is not as the state has it; the next `up` mends it."""
    _ = session.facts
    session.open_cloud()
    with Progress(session.console, expected=session.expected_steps(), verb="refresh") as progress:
        result = session.run(session.driver.refresh, progress)
    from infra.cli.drift import as_lines, world  # noqa: PLC0415 - for this verb alone

    findings = world(session, result)
    if session.as_json:
        told = [each.document() for each in findings]
        session.console.document(document_of("refresh", session.stack, result, drift=told))
    else:
        for line in as_lines(findings):
            session.console.data(line)
        words = f"{len(findings)} found; greenroom up mends them" if findings else "no drift"
        session.console.say(f"{session.stack}: {words}, {result.seconds:.1f} s")
    if result.succeeded and expect_no_changes and findings:
        return UNEXPECTED
    return _status(session, result)


@click.command()
@with_session(confirms=True)
def destroy(session: Session) -> int:
    """Delete everything the stack has. A local stack's state goes too; what is protected is refused."""
    _ = session.facts
    if not session.driver.exists():
        session.console.say(f"{session.stack}: nothing there")
        if session.as_json:
            session.console.document({"schema": "greenroom/destroy/1", "stack": session.stack, "succeeded": True})
        return 0
    _confirm(session)
    session.open_cloud()
    with Progress(session.console, expected=session.expected_steps(), verb="destroy") as progress:
        result = session.run(session.driver.destroy, progress)
    if result.succeeded and session.is_local:
        session.driver.remove()
        for name in ("last-run.json", "report.json"):
            (session.directory / name).unlink(missing_ok=True)
    session.console.say(f"{session.stack}: {summary(result)}")
    _document(session, "destroy", result)
    return _status(session, result)


def _require_secrets(session: Session) -> None:
    """Refuse bad secrets before anything is touched; once one is bad, every source is asked, and all are named."""
    facts = session.facts
    if not facts.environment_secrets and not facts.unset_secrets:
        return
    try:
        facts.require_secrets()
    except ConfigurationError as error:
        from infra.cli.secret import every_problem  # noqa: PLC0415 - loads pydantic; good secrets don't need it

        raise every_problem(session) or error from None


def _known_drift(session: Session, result: Result) -> dict[str, list[str]]:
    """Recall what the last refresh found on the host, for updates that no changed input explains."""
    silent = {step.urn for step in changed_steps(result) if step.op == "update" and not step.diff}
    if not silent:
        return {}
    return {each.urn: each.outputs.get("drift") or [] for each in session.driver.resources() if each.urn in silent}


def _plan(session: Session) -> int:
    """Count the steps of a first deployment; later ones are counted from the run before."""
    session.console.say("planning the first deployment")
    with Progress(session.console, verb="plan") as progress:
        result = session.run(session.driver.preview, progress)
    return len(result.steps) if result.succeeded else 0


def _confirm(session: Session) -> None:
    """Ask for the stack's name on a terminal; without one `--yes` has to say it."""
    if session.assume_yes:
        return
    if not sys.stdin.isatty():
        problem = Problem("command line", "--yes", "nothing", "--yes, as there is no terminal to ask on")
        raise ConfigurationError([problem], hint=f"greenroom destroy -s {session.stack} --yes")
    typed = click.prompt(f"This deletes everything of {session.stack}. Type its name to go on", err=True)
    if typed.strip() != session.stack:
        raise click.Abort


def _status(session: Session, result: Result) -> int:
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


def _document(session: Session, verb: str, result: Result, *, quiet: bool = False, **more: object) -> None:
    if session.as_json and not quiet:
        document = document_of(verb, session.stack, result, outputs=result.outputs, **more)
        session.console.document(document)
