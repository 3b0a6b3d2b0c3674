"""What a watch sees a stack with: its state and its lock on this machine, and a look at the rest."""

from __future__ import annotations

__all__ = ["StackSight"]

import json
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.proof import endpoint_of_stack
from infra.healing.detector import Look
from infra.healing.looking import Place, look_at
from infra.transport.pool import pool
from infra.transport.worker import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.cli.driver import Resource
    from infra.cli.session import Session
    from infra.transport import Endpoint
    from infra.transport.worker import Worker

PROJECT, ORGANIZATION = "greenroom", "organization"
LONGEST_RUN_S = 3600.0
"""How long the lock of another machine's run is believed."""
PATIENCE_S = 0.1
"""Any patience at all has a host asked anew that did not answer a moment ago."""


@dataclass(frozen=True)
class _State:
    """What the state said when its file was last read."""

    changed: float
    services: tuple[str, ...] = ()
    place: Place | None = None
    endpoint: Endpoint | None = None


class StackSight:
    """Looks at one stack. What the state says is read anew as soon as its file has changed."""

    def __init__(self, session: Session, *, wait: Callable[[float], bool]) -> None:
        self._session, self.wait = session, wait
        self._read = _State(-1.0)
        self._lock = threading.Lock()
        root = session.backend / ".pulumi"
        self._state = root / "stacks" / PROJECT / f"{session.stack}.json"
        self._locks = root / "locks" / ORGANIZATION / PROJECT / session.stack

    def clock(self) -> float:
        """Tell the seconds of a clock that only goes forward."""
        return time.monotonic()

    def services(self) -> tuple[str, ...]:
        """Name the services of the last deployment that came so far."""
        return self._known().services

    def look(self, span_s: float) -> Look:
        """Look once; while an engine's run holds the stack's lock, only that is seen."""
        at, wall = self.clock(), datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        holder = next(filter(None, map(_holder, sorted(self._locks.glob("*.json")))), "")
        if holder:
            return Look(at, wall, busy=f"a deployment runs ({holder})")
        known = self._known()
        if known.place is None:
            return Look(at, wall, busy="the stack is not deployed")
        return look_at(known.place, self._worker, at=at, wall=wall, span_s=span_s)

    def _worker(self) -> Worker:
        known = self._known()
        assert known.endpoint is not None, "who has a place has an endpoint"  # noqa: S101 - for the checker
        return worker(pool.link(known.endpoint, patience_s=PATIENCE_S))

    def _known(self) -> _State:
        """Give what the state says, read once for each content of its file."""
        with self._lock:
            try:
                changed = self._state.stat().st_mtime
            except OSError:
                changed = 0.0
            if changed != self._read.changed:
                self._read = self._reread(changed)
            return self._read

    def _reread(self, changed: float) -> _State:
        driver = self._session.reread()
        found = {each.name: each for each in driver.resources() if not each.leftover} if driver.exists() else {}
        if "compose-stack" not in found:
            return _State(changed)
        services = tuple(sorted(found["compose-stack"].outputs.get("services") or ()))
        place = _place(self._session, found, driver.outputs())
        return _State(changed, services, place, endpoint_of_stack(self._session))


def _holder(lock: Path) -> str:
    """Name the run that holds a lock of the engine; empty where that run is gone, so that its lock means nothing."""
    try:
        content = json.loads(lock.read_text(encoding="utf-8"))
        pid, host, age_s = int(content["pid"]), str(content["hostname"]), time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        return lock.name
    is_here = host == socket.gethostname()
    runs = Path(f"/proc/{pid}").exists() if is_here else age_s < LONGEST_RUN_S
    return f"process {pid} on {host}" if runs else ""


def _place(session: Session, found: Mapping[str, Resource], outputs: Mapping[str, Any]) -> Place:
    gate = found.get("health-gate")
    return Place(
        project=session.facts.project,
        domain=session.facts.domain,
        address=str(outputs.get("address") or ""),
        paths=tuple(gate.inputs["paths"]) if gate else (),
        authority=str(gate.inputs.get("ca_certificate") or "") if gate else "",
    )
