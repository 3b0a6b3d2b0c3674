"""`greenroom incidents`: what healing has met on a stack, one by one as a report, or all together as a ledger."""

from __future__ import annotations

__all__ = ["incidents"]

from typing import TYPE_CHECKING

import click

from infra.cli.checked import check_name
from infra.cli.facts import NoStackError
from infra.cli.options import with_session
from infra.errors import ConfigurationError, Problem
from infra.redaction import PROCESS

if TYPE_CHECKING:
    from pathlib import Path

    from infra.cli.session import Session
    from infra.healing.archive import Archive
    from infra.healing.incident import Incident

HEADER = ("INCIDENT", "NOTICED BY", "ENDED", "DETECTED", "REPAIRED", "ISSUES")


@click.command()
@click.argument("name", required=False, metavar="[ID|latest]")
@click.option("--markdown", "form", flag_value="markdown", help="Print the report as Markdown.")
@click.option("--html", "form", flag_value="html", help="Write the report as one HTML page and print its path.")
@click.option("--escalate", is_flag=True, help="Tell the channels of the settings that have not had it yet.")
@click.option("--ledger", is_flag=True, help="All incidents over time: by cause, heal rate, doubted heals, MTTD, MTTR.")
@with_session()
def incidents(session: Session, *, name: str | None, form: str | None, escalate: bool, ledger: bool) -> int:
    """List the stack's incidents, or report one of them. Asks neither cloud nor host.

    \b
    greenroom incidents                       the newest first
    greenroom incidents latest                the report, to read
    greenroom incidents ID --json             the document, schema greenroom/incident/1
    greenroom incidents ID --html             one page with the timeline as a picture
    greenroom incidents ID --escalate         send what a channel did not take
    greenroom incidents --ledger              figures over time, as lines and as a page
    """  # noqa: D301 - click keeps the lines after this mark
    _refuse_contradictions(session, name, "escalate" if escalate else form, ledger=ledger)
    directory = _directory(session)
    if name is not None and escalate:
        return _escalate(session, directory, name)
    if name is not None:
        return _one(session, directory, name, form)
    from infra.healing.archive import open_archive  # noqa: PLC0415 - other verbs' help doesn't pay for it

    archive = open_archive(directory)
    code = _ledger(session, directory, archive) if ledger else _all(session, archive)
    for error in archive.damaged:
        session.console.say(f"error: {error.message}")
    return code


def _directory(session: Session) -> Path:
    """Give where the stack's incidents are. Its settings aren't looked at: they may be what an incident is about."""
    from infra.healing.document import INCIDENTS  # noqa: PLC0415 - as above

    check_name(session.stack)
    own = session.home / session.stack
    if not own.is_dir() and not (session.root / f"Pulumi.{session.stack}.yaml").is_file():
        raise NoStackError(f"There is no stack {session.stack}", hint="ls Pulumi.*.yaml")
    return own / INCIDENTS


def _refuse_contradictions(session: Session, name: str | None, form: str | None, *, ledger: bool) -> None:
    hint = f"greenroom incidents latest -s {session.stack}"
    problems: list[Problem] = []
    if ledger and name is not None:
        problems.append(Problem("command line", "--ledger", f"with {name[:60]}", "one of the two"))
    if form and name is None:
        problems.append(Problem("command line", f"--{form}", "without an incident", "ID or latest before it"))
    if form and session.as_json:
        problems.append(Problem("command line", f"--{form}", "with --json", "one of the two"))
    if problems:
        raise ConfigurationError(problems, hint=hint)


def _one(session: Session, directory: Path, name: str, form: str | None) -> int:
    from infra.durable import save  # noqa: PLC0415 - as above
    from infra.healing.archive import find  # noqa: PLC0415 - as above
    from infra.healing.document import document_of, read  # noqa: PLC0415 - as above

    place = find(directory, name, stack=session.stack)
    incident = read(place)
    if session.as_json:
        session.console.document(document_of(incident))
        return 0
    from infra.healing.pages import HTML, markdown_of, page_of  # noqa: PLC0415 - loads jinja2

    if form == "html":
        save(place / HTML, page_of(incident))
        session.console.data(str(place / HTML))
    else:
        session.console.data(markdown_of(incident).rstrip("\n"))
    return 0


def _escalate(session: Session, directory: Path, name: str) -> int:
    """Tell people again, on the channels that failed; 1 where one of them still does."""
    from infra.cli.escalating import escalated  # noqa: PLC0415 - loads the settings' model
    from infra.healing.archive import find  # noqa: PLC0415 - as above
    from infra.healing.document import read  # noqa: PLC0415 - as above

    incident = read(find(directory, name, stack=session.stack))
    told = escalated(session, incident, directory).timeline[len(incident.timeline) :]
    if not told:
        session.console.say(f"{session.stack}: nobody is left to be told of {incident.id}")
    return int(any(": not sent: " in moment.text for moment in told))


def _all(session: Session, archive: Archive) -> int:
    from infra.cli.render import table  # noqa: PLC0415 - loads the engine's events

    if session.as_json:
        listed = [_listed(each) for each in archive.incidents]
        damaged = [each.message for each in archive.damaged]
        document = {"schema": "greenroom/incidents/1", "stack": session.stack, "incidents": listed, "damaged": damaged}
        session.console.document(document)
        return 0
    rows = [_row(each) for each in archive.incidents]
    for line in table(rows, header=HEADER) if rows else []:
        session.console.data(line)
    session.console.say(f"{session.stack}: {len(rows)} {'incident' if len(rows) == 1 else 'incidents'}")
    return 0


def _row(incident: Incident) -> list[str]:
    from infra.healing.issues import issues_of  # noqa: PLC0415 - as above
    from infra.healing.metrics import metrics_of, seconds_text  # noqa: PLC0415 - as above
    from infra.healing.wording import visible  # noqa: PLC0415 - as above

    figures = metrics_of(incident)
    told = ", ".join(f"{issue.code} {issue.result}" for issue in issues_of(incident)) or "none"
    return [
        incident.id,
        f"{incident.trigger}{' (dry run)' if incident.dry_run else ''}",
        incident.ending,
        seconds_text(figures.detection_s),
        seconds_text(figures.repair_s),
        visible(told).replace("\n", " "),
    ]


def _listed(incident: Incident) -> dict[str, object]:
    from infra.healing.issues import issues_of, summary_of  # noqa: PLC0415 - as above
    from infra.healing.metrics import metrics_of  # noqa: PLC0415 - as above
    from infra.healing.plain import to_plain  # noqa: PLC0415 - as above

    return PROCESS.mask_all(
        {
            "id": incident.id,
            "trigger": incident.trigger,
            "dry_run": incident.dry_run,
            "detected": incident.detected,
            "ending": incident.ending,
            "summary": summary_of(incident),
            "issues": [{"code": each.code, "result": each.result} for each in issues_of(incident)],
            "metrics": to_plain(metrics_of(incident)),
        }
    )


def _ledger(session: Session, directory: Path, archive: Archive) -> int:
    from infra.cli.render import table  # noqa: PLC0415 - as above
    from infra.durable import save  # noqa: PLC0415 - as above
    from infra.healing.ledger import document_of_ledger, ledger_of  # noqa: PLC0415 - as above
    from infra.healing.ledger_page import PAGE, page_of_ledger, summary_of_ledger  # noqa: PLC0415 - loads jinja2
    from infra.healing.metrics import seconds_text  # noqa: PLC0415 - as above

    ledger, damaged = ledger_of(session.stack, archive.incidents), [each.message for each in archive.damaged]
    if session.as_json:
        session.console.document(PROCESS.mask_all(document_of_ledger(ledger, damaged)))
        return 0
    rows = [
        [row.code, str(row.met), str(row.healed), str(row.escalated), seconds_text(row.median_repair_s)]
        for row in ledger.causes
    ]
    for line in table(rows, header=["CAUSE", "MET", "HEALED", "ESCALATED", "MEDIAN REPAIR"]) if rows else []:
        session.console.data(line)
    for each in ledger.suspects:
        session.console.say(f"doubted: {each.id}: {each.why} {each.fingerprint} {each.again}".rstrip())
    session.console.say(f"{session.stack}: {summary_of_ledger(ledger)}")
    session.console.say(f"  MTTD {seconds_text(ledger.mttd_s)}, MTTR {seconds_text(ledger.mttr_s)}")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    save(directory / PAGE, page_of_ledger(ledger, damaged))
    session.console.say(f"report: {directory / PAGE}")
    return 0
