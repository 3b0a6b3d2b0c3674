"""`greenroom watch`: looks at the stack every few seconds, and has healed what breaks while it runs."""

from __future__ import annotations

__all__ = ["watch"]

import getpass
import json
import os
import select
import signal
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infra.cli.choice import engine_wanted
from infra.cli.facts import require_stack
from infra.cli.options import with_session
from infra.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from infra.cli.session import Session
    from infra.healing.detector import Alarm
    from infra.healing.model import Failure

BROKEN = 7
SHORTEST_S, LONGEST_S = 1.0, 300.0


@click.command()
@click.option(
    "--interval",
    type=click.FloatRange(SHORTEST_S, LONGEST_S),
    default=5.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--once", is_flag=True, help="Look once, and exit 7 when something is broken.")
@click.option("--no-heal", is_flag=True, help="Tell only.")
@click.option("--print-unit", is_flag=True, help="Print a systemd unit that watches this stack, and end.")
@with_session()
def watch(session: Session, *, interval: float, once: bool, no_heal: bool, print_unit: bool) -> int:
    """Watch the stack in the foreground; one line a change, and what breaks is healed.

    Looked at: containers, units, disks, the certificate and the proxy over the pinned connection, and the public
    health paths through TLS. A deployment that runs, or a service that still starts, is no alarm. SIGTERM ends it.

    \b
    greenroom watch                  until it is told to end
    greenroom watch --once           for a monitor: 0 all is well, 7 something is broken
    greenroom watch --json           an object a line: at, stack, text; with --once one document
    greenroom watch --print-unit     for systemd; of a stack on DigitalOcean
    """  # noqa: D301 - click keeps the lines after this mark
    _ = session.facts
    if print_unit:
        session.console.data(_unit(session))
        if engine_wanted(os.environ) == "official":
            session.console.say(
                "the unit uses the embedded engine, on the same state; its comments say how to change that"
            )
        return 0
    require_stack(session)
    from infra.cli.sight import StackSight  # noqa: PLC0415 - loads fabric
    from infra.healing.watch import Logbook, Watch  # noqa: PLC0415 - not needed to print a unit

    with ended_by_signals() as told:
        sight = StackSight(session, wait=told)
        log = Logbook(_writer(session), sight.clock)
        heal = None if no_heal or once else _healer(session)
        watching = Watch(sight, log, heal, interval_s=interval)
        if once:
            return _told_once(session, *watching.once())
        log.note(f"{session.stack}: watching every {interval:g} s{', without healing' if no_heal else ''}")
        watching.run()
        log.note(f"{session.stack}: told to end")
    return 0


@contextmanager
def ended_by_signals() -> Generator[Callable[[float], bool]]:
    """Give a function that lets seconds pass, and is True, at once and for good, when SIGTERM or SIGINT has come.

    Signals are noted in a pipe by the interpreter itself, whoever handles them meanwhile: a healer that was stopped by
    one has handled it in its own way, and the watch ends all the same.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    before = {number: signal.signal(number, _noted) for number in (signal.SIGINT, signal.SIGTERM)}
    former = signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def wait(seconds: float) -> bool:
        until = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([read], [], [], max(0.0, until - time.monotonic()))
            if ready:
                return True
            if time.monotonic() >= until:
                return False

    try:
        yield wait
    finally:
        signal.set_wakeup_fd(former)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(read)
        os.close(write)


def _noted(number: int, frame: object) -> None:
    """Do nothing: what counts is that the number stands in the pipe by now."""
    del number, frame


def _healer(session: Session) -> Callable[[Failure], str]:
    """Give what heals a failure and says how that ended."""

    def heal(failure: Failure) -> str:
        from infra.cli.heal import run_healer  # noqa: PLC0415 - loaded when something breaks

        incident = run_healer(session, failure, trigger="watch")
        left = ", ".join(each.fingerprint for each in incident.remaining)
        return f"{incident.ending}: incident {incident.id}{f', left: {left}' if left else ''}"

    return heal


def _writer(session: Session) -> Callable[[str], None]:
    """Give what writes a line with its time, for people or for programs."""

    def write(text: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        line = json.dumps({"at": at, "stack": session.stack, "text": text}) if session.as_json else f"{at} {text}"
        session.console.data(line)

    return write


def _told_once(session: Session, alarm: Alarm | None, lines: tuple[str, ...]) -> int:
    signs = [{"key": each.key, "text": each.text, "since": each.since} for each in (alarm.signs if alarm else ())]
    if session.as_json:
        document: dict[str, Any] = {"schema": "greenroom/watch/1", "stack": session.stack, "broken": signs}
        session.console.document(document)
    else:
        for each in signs:
            session.console.data(each["text"])
        for line in lines if not signs else ():
            session.console.say(line)
    session.console.say(f"{session.stack}: {len(signs)} broken")
    return BROKEN if signs else 0


def _unit(session: Session) -> str:
    """Render the unit; raises ConfigurationError for a stack that no such unit can watch."""
    from infra.commands.templates import render  # noqa: PLC0415 - loads jinja2

    if session.is_local:
        expected = "a stack on DigitalOcean: the unit may not start the local cloud's Docker engine and droplets"
        problem = Problem(f"Pulumi.{session.stack}.yaml", "cloud", "local", expected)
        raise ConfigurationError([problem], hint=f"greenroom watch -s {session.stack}   # on a terminal")
    return render(
        "greenroom-watch.service.j2",
        {
            "stack": session.stack,
            "program": str(Path(sys.executable).with_name("greenroom")),
            "root": str(session.root),
            "home": str(session.home),
            "backend": _backend(session),
            "user": getpass.getuser(),
        },
    ).rstrip("\n")


def _backend(session: Session) -> str:
    """Give the absolute directory of a state that is kept elsewhere than at home, empty where it is there."""
    return str(session.backend.resolve()) if os.environ.get("PULUMI_BACKEND_URL") else ""
