"""The verbs that run the engine: preview, up, refresh, destroy."""

from __future__ import annotations

__all__ = ["destroy", "preview", "refresh", "up"]

import sys
from typing import TYPE_CHECKING

import click

from infra.cli.options import with_session
from infra.cli.progress import Progress
from infra.cli.render import changed_steps, document_of, explain, summary
from infra.cli.runs import UNEXPECTED, audited, converge, print_document, require_secrets, status
from infra.cli.session import LAST_RUN
from infra.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from infra.cli.session import Session
    from localcloud.engine import Result


@click.command()
@click.option("--expect-no-changes", is_flag=True, help="Exit 7 when something would change.")
@with_session()
def preview(session: Session, *, expect_no_changes: bool) -> int:
    """Show what `up` would change, down to the property; changes nothing."""
    require_secrets(session)
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
    return status(session, result)


@click.command()
@click.option("--refresh", is_flag=True, help="Read cloud and hosts first, and mend what was changed by hand.")
@click.option("--skip-verify", is_flag=True, help="Don't run the proof after a change.")
@click.option("--heal", "heals", is_flag=True, help="Heal what it fails with; see greenroom heal --help.")
@with_session()
def up(session: Session, *, refresh: bool, skip_verify: bool, heals: bool) -> int:
    """Make the stack what its settings say; a run that changed something is proved at once."""
    if heals:
        from infra.cli.heal import up_and_heal  # noqa: PLC0415 - for this option alone

        return up_and_heal(session, refresh=refresh, skip_verify=skip_verify)
    return converge(session, refresh=refresh, skip_verify=skip_verify)


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
    return status(session, result)


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
    audited(session, "destroy")
    if result.succeeded and session.is_local:
        session.driver.remove()
        for name in (LAST_RUN, "report.json", "failure.json", "identity.json"):
            (session.directory / name).unlink(missing_ok=True)
    session.console.say(f"{session.stack}: {summary(result)}")
    print_document(session, "destroy", result)
    return status(session, result)


def _known_drift(session: Session, result: Result) -> dict[str, list[str]]:
    """Recall what the last refresh found on the host, for updates that no changed input explains."""
    silent = {step.urn for step in changed_steps(result) if step.op == "update" and not step.diff}
    if not silent:
        return {}
    return {each.urn: each.outputs.get("drift") or [] for each in session.driver.resources() if each.urn in silent}


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
