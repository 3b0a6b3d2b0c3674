"""What a watch sees a stack with: its state on this machine, its host over the pinned connection, its public face."""

from __future__ import annotations

__all__ = ["StackSight"]

import errno
import http.client
import os
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.proof import endpoint_of_stack
from infra.errors import GreenroomError
from infra.healing.detector import Look
from infra.ops.public import PublicClient
from infra.transport.pool import pool
from infra.transport.worker import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.cli.driver import Resource
    from infra.cli.session import Session

HOST_S, PUBLIC_S = 8.0, 2.0
PUBLIC_AT_ONCE = 8
_OFFLINE = (errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)


@dataclass(frozen=True)
class _State:
    """What the state said when its file was last read."""

    changed: float
    resources: Mapping[str, Resource] = field(default_factory=dict[str, "Resource"])
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])


class StackSight:
    """Looks at one stack. What the state says is read anew as soon as its file has changed."""

    def __init__(self, session: Session, *, wait: Callable[[float], bool]) -> None:
        self._session, self.wait = session, wait
        self._read = _State(-1.0)
        self._lock = threading.Lock()
        backend = os.environ.get("PULUMI_BACKEND_URL", "").removeprefix("file://")
        root = Path(backend).expanduser() if backend else session.home
        self._state = root / ".pulumi" / "stacks" / "greenroom" / f"{session.stack}.json"
        self._locks = root / ".pulumi" / "locks" / "organization" / "greenroom" / session.stack

    def clock(self) -> float:
        """Tell the seconds of a clock that only goes forward."""
        return time.monotonic()

    def services(self) -> tuple[str, ...]:
        """Name the services of the last deployment that came so far."""
        stack = self._known().resources.get("compose-stack")
        return tuple(sorted(stack.outputs.get("services") or ())) if stack else ()

    def look(self, span_s: float) -> Look:
        """Look once."""
        at, wall = self.clock(), datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if holder := self._deploying():
            return Look(at, wall, busy=holder)
        with ThreadPoolExecutor(1) as beside:
            public = beside.submit(self._public)
            vitals, unreachable, offline = self._vitals(span_s)
        return Look(at, wall, "", unreachable, offline, vitals, public.result())

    # ---- the parts

    def _deploying(self) -> str:
        """Name the run of an engine that holds the stack's lock; empty where none does."""
        held = sorted(self._locks.glob("*.json")) if self._locks.is_dir() else []
        return f"{len(held)} lock in {self._locks.name}" if held else ""

    def _vitals(self, span_s: float) -> tuple[dict[str, Any], str, bool]:
        """Ask the host; gives its answer, else why there is none, and whether that is for want of a network here."""
        probe = {"kind": "vitals", "span_s": span_s, "project": self._session.facts.project}
        probe["domain"] = self._session.facts.domain
        try:
            link = pool.link(endpoint_of_stack(self._session), patience_s=0.1)
            answer = worker(link).call(subject="watch", phase="health", probes={"vitals": probe}, timeout_s=HOST_S)
        except GreenroomError as error:
            return {}, error.message.splitlines()[0][:200], _is_offline(error)
        return answer["vitals"], "", False

    def _public(self) -> dict[str, int]:
        """Ask each health path of the public name once, through TLS that is verified."""
        known = self._known()
        gate, address = known.resources.get("health-gate"), known.outputs.get("address")
        if gate is None or not address:
            return {}
        paths: list[str] = list(gate.inputs["paths"])
        authority = str(gate.inputs.get("ca_certificate") or "")

        def ask(path: str) -> int:
            client = PublicClient(self._session.facts.domain, str(address), authority, timeout_s=PUBLIC_S)
            try:
                return client.request("GET", path).status
            except (OSError, ssl.SSLError, http.client.HTTPException):
                return 0
            finally:
                client.close()

        with ThreadPoolExecutor(PUBLIC_AT_ONCE) as threads:
            return dict(zip(paths, threads.map(ask, paths), strict=True))

    def _known(self) -> _State:
        """Give what the state says, read once for each content of its file."""
        with self._lock:
            try:
                changed = self._state.stat().st_mtime
            except OSError:
                changed = 0.0
            if changed != self._read.changed:
                driver = self._session.reread()
                found = driver.resources() if driver.exists() else []
                own = {each.name: each for each in found if not each.leftover}
                self._read = _State(changed, own, driver.outputs() if own else {})
            return self._read


def _is_offline(error: GreenroomError) -> bool:
    """Whether a connection failed for want of a network on this side, as the system itself says."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _OFFLINE:
            return True
        cause = cause.__cause__
    return False
