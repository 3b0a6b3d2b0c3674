"""`greenroom drift`: names what is not as it should be in the four layers, and offers to revert or to adopt it."""

from __future__ import annotations

__all__ = ["as_lines", "drift", "world"]

import json
import time
from typing import TYPE_CHECKING, Any

import click

from infra.cli.facts import require_stack
from infra.cli.options import with_session
from infra.cli.progress import Progress
from infra.cli.render import changed_steps, table
from infra.cli.runs import UNEXPECTED, converge
from infra.errors import ConfigurationError, GreenroomError, Problem
from infra.ops.adoption import adopt, offered
from infra.ops.drift import LAYERS, Drift, in_program, in_state, in_world, ordered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.cli.session import Session
    from localcloud.engine import Result

SHOWN = 60


@click.command()
@click.option("--expect-no-changes", is_flag=True, help="Exit 7 when something has drifted.")
@click.option("--revert", is_flag=True, help="Mend everything that was found: up --refresh.")
@click.option("--adopt", "adopted", multiple=True, metavar="RESOURCE", help="Take what is there into the settings.")
@with_session()
def drift(session: Session, *, expect_no_changes: bool, revert: bool, adopted: tuple[str, ...]) -> int:
    """Name what is not as it should be: program, state, DigitalOcean, host. Changes nothing unless told to.

    \b
    greenroom drift                  what, since when, and what can be done
    greenroom drift --revert         make it as declared again
    greenroom drift --adopt droplet  keep it, and say so in the settings
    """  # noqa: D301 - click keeps the lines after this mark
    if revert and adopted:
        problem = Problem("command line", "--revert", "with --adopt", "one of the two")
        raise ConfigurationError([problem], hint=f"greenroom drift -s {session.stack} --adopt {adopted[0]}")
    _ = session.facts
    require_stack(session)
    session.open_cloud()
    began = time.monotonic()
    findings = _everything(session)
    taken = adopt(findings, adopted, root=session.root, stack=session.stack) if adopted else []
    if session.as_json:
        written = [{"file": each.file, "key": each.key} for each in taken]
        session.console.document(_document(session, findings, time.monotonic() - began, adopted=written))
    else:
        _print(session, findings, time.monotonic() - began)
    for each in taken:
        session.console.say(f"  written: {each.file}: greenroom:{each.key}")
    if taken:
        session.console.say(f"  next: greenroom up --refresh -s {session.stack}")
    if revert and findings:
        return _revert(session, findings)
    return UNEXPECTED if findings and expect_no_changes else 0


def world(session: Session, result: Result) -> list[Drift]:
    """Return what a refresh or a look found in cloud and hosts."""
    known: dict[str, frozenset[str]] = {}

    def inputs_of() -> dict[str, frozenset[str]]:
        if not known:
            known.update({each.urn: frozenset(each.inputs) for each in session.driver.resources()})
        return known

    return ordered(offered(in_world(result.steps, inputs_of), stack=session.stack))


def as_lines(findings: Sequence[Drift]) -> list[str]:
    """Return the findings as a table."""
    rows = [
        [each.layer, each.resource, each.what, _text(each.expected), _text(each.found), each.since or ""]
        for each in findings
    ]
    return table(rows, header=["LAYER", "RESOURCE", "WHAT", "EXPECTED", "FOUND", "SINCE"]) if rows else []


def _everything(session: Session) -> list[Drift]:
    """Look at cloud and hosts, preview the program, and read the state."""
    looked = _run(session, "look")
    planned = _run(session, "preview")
    changes = changed_steps(planned)
    resources = session.driver.resources()
    state = in_state(
        changes,
        session.driver.pending(),
        [(each.urn, each.type) for each in resources if each.leftover],
        {each.urn: each.modified for each in resources},
    )
    own = offered([*in_program(changes), *state], stack=session.stack)
    return ordered([*world(session, looked), *own])


def _run(session: Session, verb: str) -> Result:
    with Progress(session.console, expected=session.expected_steps(), verb=verb) as progress:
        result = session.run(getattr(session.driver, verb), progress)
    if not result.succeeded:
        raise GreenroomError(f"{session.stack}: the {verb} failed", hint=f"greenroom preview -s {session.stack}")
    return result


def _revert(session: Session, findings: Sequence[Drift]) -> int:
    """Make it as declared. A droplet that was changed boots anew: what is on it is waited for before the proof."""
    session.console.say(f"{session.stack}: reverting")
    if any(each.type == "Droplet" for each in findings):
        code = converge(session, refresh=True, skip_verify=True, quiet=True)
        if code:
            return code
    return converge(session, refresh=True, skip_verify=False, quiet=session.as_json)


def _print(session: Session, findings: Sequence[Drift], seconds: float) -> None:
    for line in as_lines(findings):
        session.console.data(line)
    adoptable = [each for each in findings if each.adopt.possible]
    counted = ", ".join(f"{count} {layer}" for layer, count in _counts(findings).items() if count)
    session.console.say(f"{session.stack}: {counted or 'no drift'}, {seconds:.1f} s")
    if findings:
        session.console.say(f"  revert: greenroom drift -s {session.stack} --revert")
    for each in adoptable:
        session.console.say(f"  adopt:  {each.adopt.how}   ({each.adopt.file}: greenroom:{each.adopt.key})")


def _document(session: Session, findings: Sequence[Drift], seconds: float, *, adopted: object) -> dict[str, Any]:
    return {
        "schema": "greenroom/drift/1",
        "stack": session.stack,
        "checked_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(seconds, 3),
        "layers": _counts(findings),
        "findings": [each.document() for each in findings],
        "adopted": adopted,
    }


def _counts(findings: Sequence[Drift]) -> dict[str, int]:
    return {layer: sum(each.layer == layer for each in findings) for layer in LAYERS}


def _text(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, default=str)
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
