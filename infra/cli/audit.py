"""`greenroom audit`: shows the audit log and proves that nobody has changed it; and how verbs append to it.

A verb appends only where it changed something, so a run that changes nothing neither derives the log's key nor touches
a file. The log's head is left on the droplet too, for root's eyes only, each time the command line is there anyway.
"""

from __future__ import annotations

__all__ = ["append", "audit", "audit_of", "mirror_head"]

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from infra.cli.options import with_session
from infra.cli.render import table

if TYPE_CHECKING:
    from infra.cli.session import Session
    from infra.ops.audit import Audit, Head
    from infra.transport.worker import Worker

TAMPERED = 1
MIRROR = "/var/lib/greenroom/audit.head.json"
ASK_S = 10.0


@click.command()
@click.option("--verify", "verifies", is_flag=True, help="Prove the chain, and hold it against the droplet's head.")
@with_session()
def audit(session: Session, *, verifies: bool) -> int:
    """Show who changed what, why, and what came of it; with --verify, prove that this is what was written.

    \b
    greenroom audit            the log as a table
    greenroom audit --verify   exits 1 where an entry was edited, dropped, swapped, doubled or cut off
    """  # noqa: D301 - click keeps the lines after this mark
    _ = session.facts
    log = audit_of(session)
    entries = log.entries()
    troubles = log.verify(_mirrored(session)) if verifies else []
    tampered = any(each.tampered for each in troubles)
    if session.as_json:
        session.console.document(
            {
                "schema": "greenroom/audit/1",
                "stack": session.stack,
                "entries": [asdict(each) for each in entries],
                "verified": verifies and not tampered,
                "troubles": [asdict(each) for each in troubles],
            }
        )
    else:
        rows = [
            [str(each.seq), each.at, each.actor, each.verb, each.subject, each.outcome, each.after or each.why]
            for each in entries
        ]
        for line in table(rows, header=["SEQ", "AT", "WHO", "VERB", "SUBJECT", "OUTCOME", "WHAT CAME OF IT"]):
            session.console.data(line)
    for each in troubles:
        session.console.say(f"{'tampered' if each.tampered else 'torn'}: line {each.line}: {each.what}")
    if verifies and not troubles:
        session.console.say(f"{session.stack}: {len(entries)} entries, nothing was changed")
    return TAMPERED if tampered else 0


def audit_of(session: Session) -> Audit:
    """Return the stack's log."""
    from infra.ops.audit import Audit  # noqa: PLC0415 - a run that changes nothing appends nothing

    return Audit(session.directory, session.passphrase, redactor=session.console.redactor)


def append(session: Session, verb: str, subject: str, **told: Any) -> None:
    """Append what a verb has done, with every secret of the stack masked."""
    if session.driver.exists():
        session.console.redactor.add(session.driver.secret_values())
    log = audit_of(session)
    log.append(verb, subject, **told)


def mirror_head(worker: Worker, head: Head | None) -> None:
    """Leave the log's head on the droplet; raises what the worker raises."""
    from infra.commands import acts  # noqa: PLC0415 - as above

    if head is None:
        return
    why = "the audit log's head is kept where the controller's user can't reach it"
    folder = MIRROR.rpartition("/")[0]
    steps = [
        acts.directory(why, folder, owner="root", mode="0755", keep=True),
        acts.write(why, MIRROR, head.text, owner="root", mode="0600"),
    ]
    wires = [{name: value for name, value in each.wire.items() if name != "say"} for each in steps]
    worker.call(subject="audit", phase="audit", probes={}, acts=wires, lock="audit", timeout_s=ASK_S)


def _mirrored(session: Session) -> Head | None:
    """Fetch the droplet's head; None, and said so, where there is none to be had."""
    from infra.cli.declaring import endpoint_of_host  # noqa: PLC0415 - the log alone needs no host
    from infra.errors import GreenroomError  # noqa: PLC0415 - as above
    from infra.ops.audit import head_of  # noqa: PLC0415 - as above
    from infra.transport.pool import close_all, link  # noqa: PLC0415 - as above
    from infra.transport.worker import worker  # noqa: PLC0415 - as above

    endpoint = endpoint_of_host(session.driver.resources()) if session.driver.exists() else None
    if endpoint is None:
        session.console.say("there is no droplet to hold the log against")
        return None
    try:
        probe = {"head": {"kind": "file", "path": MIRROR, "content": True}}
        found = worker(link(endpoint)).call(subject="audit", phase="audit", probes=probe, timeout_s=ASK_S)["head"]
    except GreenroomError as error:
        session.console.say(f"the log is not held against the droplet's head: {error.message.splitlines()[0]}")
        return None
    finally:
        close_all()
    if not found["exists"]:
        session.console.say("the droplet has no head of the log yet")
        return None
    return head_of(str(found.get("content", "")))
