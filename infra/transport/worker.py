"""Calls on the worker at the far end: its code is there or is sent once, then each request is one line each way.

A request performs acts in order and gathers facts afterwards, so a resource asks with one round trip and acts and
verifies with one more. Standard input carries everything: `ps` on the host shows a `python3 -I` that reads.

A call outlives its connection. A request that only asks is asked again. A request with acts is a job on the host, with
an id that this side chooses (`infra.transport.remote.jobs`): when the link is cut, wherever that is, the call connects
again to the same pinned key and sends the same request with the same id. The host starts what it never got, follows
what runs, and tells what has ended, so the acts take effect once. One thing makes that impossible: a restart of the
host, whose records are then gone. The call ends with HostRestartedError, and what is to be done is planned anew from
what the host has become; that is sound because every apply is safe to repeat and to have been cut short.
"""

from __future__ import annotations

__all__ = ["Wire", "Worker", "worker"]

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.errors import AuthenticationError, HostRestartedError, StepError, UnreachableError
from infra.transport.code import code
from infra.transport.pool import pool
from infra.transport.progress import say
from infra.transport.session import ConnectionCut, Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.transport.endpoint import Endpoint
    from infra.transport.link import Link

Wire = dict[str, Any]
"""An act or a probe as it travels, and the facts that come back: plain data."""

_ANSWER_GRACE_S = 30.0
_STOP_GRACE_S = 10.0
"""A job past the call's time is stopped on the host a while before the controller stops waiting for its answer."""
_PROBE_PATIENCE_S = 60.0
"""How long after the first cut a request that only asks is asked again: a look may fail, a job is not to be lost."""
_NEW_WORKER_PAUSE_S = 0.5


@dataclass
class _Call:
    """One call and what is known of it, over all the connections that it takes."""

    subject: str
    phase: str
    request: Wire
    deadline: float
    job: str = ""
    era: str = ""
    """The era of the host's records in which the job was first asked for; empty as long as it never was."""
    began: bool = False
    first_cut: float = 0.0
    cuts: list[str] = field(default_factory=list[str])

    @property
    def known(self) -> str:
        """What is known of the job, as part of a sentence."""
        if not self.job:
            return "it only asked"
        if not self.era:
            return f"job {self.job} was not sent"
        return f"job {self.job} runs on" if self.began else f"job {self.job} may have reached the host"


class Worker:
    """The worker on one host, started by the first call and shared by all threads; connections are renewed under it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._lock = threading.Lock()
        self._session: Session | None = None

    def call(
        self,
        *,
        subject: str,
        phase: str,
        probes: Mapping[str, Wire],
        acts: Sequence[Wire] = (),
        lock: str = "host",
        redact: Mapping[str, object] | None = None,
        timeout_s: float = 60.0,
    ) -> Wire:
        """Perform acts once, gather facts and return them by name, over as many connections as that takes.

        StepError with the act's own code when one fails, JOB_DEADLINE when the acts take longer than `timeout_s` (then
        they are stopped), JOB_DIED when their process was killed. UnreachableError when no answer comes within
        `timeout_s` and a grace, HostRestartedError as told above. AuthenticationError when another host answers at the
        address meanwhile.
        """
        request: Wire = {
            "probes": dict(probes),
            "acts": list(acts),
            "lock": lock,
            "lock_wait_s": timeout_s,
            "deadline_s": timeout_s + _STOP_GRACE_S,
            "redact": dict(redact or {}),
            "seen": 0,
        }
        call = _Call(subject, phase, request, time.monotonic() + timeout_s + _ANSWER_GRACE_S)
        if acts:
            call.job = request["job"] = secrets.token_hex(8)
        while True:
            try:
                return self._attempt(call)
            except ConnectionCut as cut:
                self._resume(call, cut)
            except TimeoutError:
                raise self._lost(call, f"no answer within {timeout_s + _ANSWER_GRACE_S:.0f} s") from None

    def _attempt(self, call: _Call) -> Wire:
        session = self._conversation()
        if call.job:
            self._enter_era(call, session.era())
        for event in session.ask(call.request, call.deadline):
            if event["event"] == "say":
                call.request["seen"] += 1
                say(call.subject, event["text"])
            elif event["event"] == "began":
                call.began = True
            else:
                if call.job:
                    session.acknowledge(call.job)
                if event["event"] == "failed":
                    raise self._failure(call.phase, event)
                return event["result"]
        raise AssertionError("a conversation ends by an event or by an exception")

    def _enter_era(self, call: _Call, era: str) -> None:
        if call.era and call.era != era:
            why = "the host restarted meanwhile, and its record of the job is gone"
            raise self._lost(call, why, HostRestartedError)
        call.era = era

    def _conversation(self) -> Session:
        with self._lock:
            if self._session is None or not self._session.alive or self._session.link is not self.link:
                try:
                    self._session = Session(self.link, code())
                except UnreachableError as error:
                    raise ConnectionCut(error.evidence) from error
            return self._session

    def _resume(self, call: _Call, cut: ConnectionCut) -> None:
        """Stand where the call can be asked again: on a new link, or with a new worker where only that has ended."""
        link, why = self.link, str(cut)
        now = time.monotonic()
        call.first_cut = call.first_cut or now
        until = call.deadline if call.job else min(call.deadline, call.first_cut + _PROBE_PATIENCE_S)
        if cut.futile or now >= until:
            raise self._lost(call, why) from cut
        call.cuts.append(why)
        say(call.subject, f"link to {link.endpoint.host} lost ({why.splitlines()[0]}); {call.known}; connecting again")
        if link.alive:
            time.sleep(_NEW_WORKER_PAUSE_S)
            return
        try:
            self.link = pool.link(link.endpoint, patience_s=until - now)
        except UnreachableError as error:
            raise self._lost(call, error.evidence) from error
        except AuthenticationError as error:
            told = f"{error.message}; {call.known}"
            raise AuthenticationError(told, hint=error.hint, host=error.host, code=error.code) from error

    def _failure(self, phase: str, event: dict[str, Any]) -> StepError:
        return StepError(
            phase=phase,
            host=str(self.link.endpoint),
            command=event["command"],
            exit_status=event["exit_status"],
            evidence=event["evidence"],
            code=event["code"],
            hint=event["hint"] or f"ssh {self.link.endpoint.user}@{self.link.endpoint.host}",
        )

    def _lost(self, call: _Call, why: str, kind: type[UnreachableError] = UnreachableError) -> UnreachableError:
        at = self.link.endpoint
        again = f"; greenroom up   # waits for job {call.job} where it still runs" if call.job else ""
        return kind(
            phase=call.phase,
            host=str(at),
            command=f"job {call.job}" if call.job else "ask for facts",
            exit_status=None,
            evidence="\n".join([*dict.fromkeys([*call.cuts, why]), call.known]),
            code="LINK_LOST" if kind is UnreachableError else "HOST_RESTARTED",
            hint=f"nc -vz {at.host} {at.port}{again}",
        )


_workers: dict[Endpoint, Worker] = {}
_workers_lock = threading.Lock()


def worker(link: Link) -> Worker:
    """Return the one worker on the link's host, made where there is none; it works over this link from now on."""
    with _workers_lock:
        known = _workers.setdefault(link.endpoint, Worker(link))
        if not known.link.alive:
            known.link = link
        return known
