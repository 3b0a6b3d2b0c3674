"""`greenroom heal`: mends what may be mended, names the cause of the rest, and never takes an act's word for it."""

from __future__ import annotations

__all__ = ["heal", "run_healer", "up_and_heal"]

import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from infra.cli.facts import require_stack
from infra.cli.failed import forget_failure, known_failure
from infra.cli.options import with_session
from infra.errors import GreenroomError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from infra.cli.halting import Halting
    from infra.cli.session import Session
    from infra.healing.incident import Incident, Trigger
    from infra.healing.lock import Holder
    from infra.healing.model import Failure

ESCALATED, STOPPED = 21, 22
PROOF_FAILED, CANCELLED = 20, 8
EXITS = {"healthy": 0, "healed": 0, "planned": 0, "escalated": ESCALATED, "stopped": STOPPED, "exhausted": STOPPED}
STOP_WITHIN_S = 60.0


@click.command()
@click.option("--dry-run", is_flag=True, help="Name causes and print the plan; nothing is changed anywhere.")
@click.option("--stop", "stops", is_flag=True, help="Stop the healer that is running.")
@with_session()
def heal(session: Session, *, dry_run: bool, stops: bool) -> int:
    """Find what is wrong, mend what may be mended, prove everything, or say who has to do what.

    \b
    greenroom heal --dry-run   what is wrong, and what would be done about it
    greenroom heal             do it, and prove the stack
    greenroom heal --stop      no further act; what runs is cancelled

    Exits 0 healthy or healed (with --dry-run: or a plan was printed), 21 a person is asked, 22 stopped or the run's
    limits are spent: 3 tries a cause, 6 acts, 10 minutes.
    """  # noqa: D301 - click keeps the lines after this mark
    _ = session.facts
    if stops:
        return _stop(session)
    failure = known_failure(session)
    if failure is None:
        require_stack(session)
    incident = run_healer(session, failure, trigger="heal", dry_run=dry_run, recorded=failure is not None)
    return EXITS[incident.ending]


def up_and_heal(session: Session, *, refresh: bool, skip_verify: bool) -> int:
    """Deploy, and heal what that fails with; to `heal --stop` both are one run."""
    from infra.cli.proof import last_verification  # noqa: PLC0415 - for this option alone
    from infra.cli.runs import converge, print_document  # noqa: PLC0415 - loads the engine's words
    from infra.healing.lock import locked  # noqa: PLC0415 - as above

    failure: Failure | None = None
    with locked(session.directory, stack=session.stack) as holder:
        with _stoppable(session) as halting:
            try:
                code = converge(session, refresh=refresh, skip_verify=skip_verify, quiet=True)
                if code not in {0, CANCELLED, PROOF_FAILED}:
                    failure = known_failure(session)
            except GreenroomError:
                code, failure = 1, known_failure(session)
                if failure is None:
                    raise
        if code in {0, CANCELLED}:
            if session.last is not None:
                print_document(session, "up", session.last, verification=last_verification(session))
            return code
        if halting.halt:
            return STOPPED
        return EXITS[_healed(session, holder, failure, trigger="up").ending]


@contextlib.contextmanager
def _stoppable(session: Session) -> Generator[Halting]:
    """Cancel the deployment in this block on `heal --stop`.

    A stop file that was there before is a switch for healing, and no deployment's business.
    """
    from infra.cli.halting import STOP_FILE, Halting  # noqa: PLC0415 - as above

    def cancel() -> None:
        session.driver.cancel()  # the one of that moment: opening the cloud makes another

    stop_file = session.directory / STOP_FILE
    halting = Halting(stop_file, say=session.console.say)
    if stop_file.exists():
        yield halting
        return
    with halting, halting.cancelling(cancel):
        yield halting


def run_healer(
    session: Session,
    failure: Failure | None,
    *,
    trigger: Trigger,
    dry_run: bool = False,
    recorded: bool = False,
) -> Incident:
    """Run the healer once under its lock and its leash, and leave the incident; raises HealerBusyError."""
    from infra.healing.lock import locked  # noqa: PLC0415 - as above

    with locked(session.directory, stack=session.stack) as holder:
        return _healed(session, holder, failure, trigger=trigger, dry_run=dry_run, recorded=recorded)


def _healed(
    session: Session,
    holder: Holder,
    failure: Failure | None,
    *,
    trigger: Trigger,
    dry_run: bool = False,
    recorded: bool = False,
) -> Incident:
    """Run the healer under a lock that is held; what broke the run off is raised once the incident is told."""
    from infra.cli.halting import STOP_FILE, Halting  # noqa: PLC0415 - for those who heal
    from infra.healing.document import INCIDENTS  # noqa: PLC0415 - as above
    from infra.healing.healer import new_id  # noqa: PLC0415 - as above
    from infra.healing.policy import Budget  # noqa: PLC0415 - as above

    budget = Budget()
    place = session.directory / INCIDENTS / new_id(datetime.now(UTC))
    deploys = failure is not None and trigger != "watch"
    with Halting(session.directory / STOP_FILE, within_s=budget.seconds, say=session.console.say) as halting:
        session.open_cloud()
        session.console.redactor.add(session.driver.secret_values() if session.driver.exists() else ())
        if not deploys:
            session.pin(_deployed(session))  # no deployment failed: mending is none either
        from infra.cli.audit import audit_of  # noqa: PLC0415 - as above
        from infra.cli.world import World  # noqa: PLC0415 - loads fabric and the settings' model
        from infra.healing.healer import Healer  # noqa: PLC0415 - as above
        from infra.healing.playbook import REMEDIES  # noqa: PLC0415 - as above
        from infra.transport.pool import close_all  # noqa: PLC0415 - as above

        audit = audit_of(session)
        world = World(session, halting, audit, holder=holder, incident=place, dry_run=dry_run, deploys=deploys)
        healer = Healer(
            session.stack,
            world,
            remedies=REMEDIES,
            incident=place.name,
            trigger=trigger,
            budget=budget,
            heals=_unwatched(place.parent) if trigger == "watch" else {},
            dry_run=dry_run,
        )
        try:
            incident = world.completed(healer.run(failure, recorded=recorded or trigger == "watch"))
            _conclude(session, world, incident, place)
        finally:
            close_all()
            session.pin("")
    if healer.defect is not None:
        raise healer.defect
    return incident


def _unwatched(incidents: Path) -> dict[str, int]:
    """Count what the watch has healed within the hour."""
    from infra.healing.archive import open_archive  # noqa: PLC0415 - as above
    from infra.healing.healer import stamp  # noqa: PLC0415 - as above
    from infra.healing.ledger import unwatched_heals  # noqa: PLC0415 - as above

    return unwatched_heals(open_archive(incidents).incidents, stamp(datetime.now(UTC)))


def _deployed(session: Session) -> str:
    """Return the commit that is deployed; an empty text where no deployment has come to its end."""
    outputs = session.driver.outputs() if session.driver.exists() else {}
    return str((outputs.get("release") or {}).get("commit") or "")


def _conclude(session: Session, world: Any, incident: Incident, place: Path) -> None:
    """Write the incident, record how it ended, and say so."""
    from infra.cli.escalating import escalated  # noqa: PLC0415 - as above
    from infra.healing.document import document_of  # noqa: PLC0415 - as above

    if not incident.dry_run:
        world.close(incident)
        incident = escalated(session, incident, place.parent)
        if incident.ending in {"healed", "healthy"}:
            forget_failure(session)
    if session.as_json and incident.trigger != "watch":  # a watch prints a stream of lines, and this one's ending in it
        session.console.document(document_of(incident, session.console.redactor))
    console = session.console
    acts = sum(len(each.outcomes) for each in incident.attempts)
    console.say(f"{session.stack}: {incident.ending}, {acts} acts, {incident.statements} statements proved")
    for match in incident.remaining[:1]:
        from infra.healing.wording import asked, next_steps_of, visible  # noqa: PLC0415 - as above

        console.say(f"  for {asked(match.cause.role)}: {match.cause.code}")
        for step in next_steps_of(match):
            console.say(f"  next: {visible(step)}")
    if not incident.dry_run:
        console.say(f"  incident: {place}")


def _stop(session: Session) -> int:
    """Stop the running healer and wait for its end; with none running there is nothing to stop."""
    from infra.cli.halting import STOP_FILE  # noqa: PLC0415 - as above
    from infra.healing.lock import HealerBusyError, locked  # noqa: PLC0415 - as above

    path = session.directory / STOP_FILE
    is_switch = path.exists()  # one that somebody made to keep healers from acting is theirs to remove
    path.touch()
    try:
        until = time.monotonic() + STOP_WITHIN_S
        while True:
            with contextlib.suppress(HealerBusyError), locked(session.directory, stack=session.stack):
                session.console.say(f"{session.stack}: no healer is running")
                return 0
            if time.monotonic() > until:
                raise GreenroomError(f"{session.stack}: the healer still lets a step finish", hint=f"ls {path}")
            time.sleep(0.1)
    finally:
        if not is_switch:
            path.unlink(missing_ok=True)
