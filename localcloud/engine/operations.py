"""What each operation does with an assembled run."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from localcloud.engine import urn as urns
from localcloud.engine.backend import ORGANIZATION
from localcloud.engine.deletion import delete_in_waves, leftovers
from localcloud.engine.execution import Executor
from localcloud.engine.monitor import MonitorService
from localcloud.engine.processes import Drain
from localcloud.engine.reading import Reader
from localcloud.engine.refresh import refresh_all
from localcloud.engine.registration import Registrar

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.engine.monitor import Server
    from localcloud.engine.processes import Child
    from localcloud.engine.run import Run
    from localcloud.engine.starting import Starter

REPORTED = 32
PROGRAM_PATIENCE_S = 5.0


def update(run: Run, server: Server, starter: Starter, *, renewed: Callable[[Run], Run] | None = None) -> Run:
    """Run the program, fulfil what it registers, and delete what it no longer does. Also serves previews.

    With `renewed` the world is read into the state first, while the program loads; it gives the run on that state.
    Returns the run as it ended.
    """
    monitor = MonitorService(run)
    server.serve_monitor(monitor)
    server.start()
    program = starter.start_program(
        {
            "project": run.project,
            "stack": run.stack,
            "organization": ORGANIZATION,
            "parallel": run.parallel,
            "dryRun": run.preview,
            "config": dict(run.configuration.values),
            "secretKeys": sorted(run.configuration.secret_keys),
        }
    )
    run.reporter.program_started()
    drain = Drain(program, lambda line: _pass_on(run, line))
    threading.Thread(target=_watch, args=(run, program, drain), daemon=True).start()
    if renewed:
        refresh_all(run, alone=False)
        run = renewed(run)
    executor = Executor(run)
    registrar = Registrar(run, executor)
    monitor.open(run, registrar, Reader(run, registrar, executor))
    run.control.wait_for_program()
    _judge_exit(run, starter)
    if not run.control.is_stopping:
        claimed = {*registrar.goals, *registrar.matched}
        delete_in_waves(run, executor, leftovers(run.base.resources, claimed))
    run.control.wait_for_steps()
    if not run.control.is_abandoned:
        _settle_stack_outputs(run, registrar, monitor)
    _end_program(run, program, starter)
    return run


def _pass_on(run: Run, line: str) -> None:
    """Show what the program prints, until the run has failed: from then on it only complains of that."""
    if not run.control.is_stopping:
        run.reporter.say("info", line)


def _watch(run: Run, program: Child, drain: Drain) -> None:
    status = program.wait()
    drain.finish()
    run.control.program_ended(1 if status is None else status)


def _judge_exit(run: Run, starter: Starter) -> None:
    """Turn a program's bad end into the run's failure, unless the run had failed before."""
    status = run.control.program_status
    if run.control.is_stopping or not status:
        return
    complaint = starter.launcher().complaint
    if status == REPORTED:
        run.reporter.note_failure()
        run.control.stop()
    elif complaint:
        run.fail(f"The program could not be started:\n{complaint}")
    else:
        run.fail(f"The program exited with code {status}")


def _settle_stack_outputs(run: Run, registrar: Registrar, monitor: MonitorService) -> None:
    """Give the stack its outputs: the program's after a success, laid over the old ones after a failure."""
    stack = next((entry for entry in registrar.entries.values() if entry.type == urns.STACK_TYPE), None)
    if stack is None or monitor.stack_outputs is None:
        return
    failed = run.control.is_stopping
    outputs = {**stack.outputs, **monitor.stack_outputs} if failed else monitor.stack_outputs
    run.journal.set_outputs(stack, outputs)


def _end_program(run: Run, program: Child, starter: Starter) -> None:
    """Let the program go home; one that can't do so by itself is interrupted."""
    if run.control.is_stopping:
        program.signal(signal.SIGINT)
    run.control.finish()
    if run.control.is_abandoned:
        return
    status = program.wait(PROGRAM_PATIENCE_S if run.control.is_stopping else None)
    if status is None:
        program.signal(signal.SIGKILL)
        program.wait()
    run.control.program_ended(status or 0)
    _judge_exit(run, starter)


def refresh(run: Run, *, forget_pending_creates: bool) -> None:
    """Read the world into the state; forget creates that were cut short, if someone has looked what became of them."""
    if forget_pending_creates:
        run.journal.forget_pending_creates()
    refresh_all(run)


def destroy(run: Run) -> None:
    """Delete everything, by the providers the state knows."""
    delete_in_waves(run, Executor(run), run.base.resources)
