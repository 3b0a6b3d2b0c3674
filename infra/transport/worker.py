"""Calls on the worker at the far end: its source is sent once a connection, then each request is one line each way.

A request performs acts in order and gathers facts afterwards, so a resource asks with one round trip and acts and
verifies with one more. Standard input carries everything: `ps` on the host shows `python3 -I` and a loader.
"""

from __future__ import annotations

__all__ = ["Wire", "Worker", "worker"]

import itertools
import json
import queue
import shlex
import threading
import zlib
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import StepError, UnreachableError
from infra.transport.progress import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import paramiko

    from infra.transport.link import Link

Wire = dict[str, Any]
"""An act or a probe as it travels, and the facts that come back: plain data."""

_REMOTE = Path(__file__).parent / "remote"
_PACKAGES = ("infra", "infra.transport", "infra.transport.remote")
_ORDER = (
    *("report", "processes", "files", "system", "engine", "hardening", "confirm"),
    *("checkout", "stack", "start", "volume", "web", "main"),
)
_LOADER = (
    "import sys,json,types,zlib,base64\n"
    "p,m=json.loads(zlib.decompress(base64.b64decode(sys.stdin.readline())))\n"
    "for n in p: x=types.ModuleType(n); x.__path__=[]; sys.modules[n]=x\n"
    "for n,s in m: x=types.ModuleType(n); sys.modules[n]=x; exec(compile(s,n,'exec'),x.__dict__)\n"
    "x.main()\n"
)
_ANSWER_GRACE_S = 30.0


def source() -> bytes:
    """Return the worker's modules as the one line that the loader reads first."""
    modules = [(f"infra.transport.remote.{name}", (_REMOTE / f"{name}.py").read_text()) for name in _ORDER]
    return b64encode(zlib.compress(json.dumps([_PACKAGES, modules]).encode())) + b"\n"


class Worker:
    """The process at the far end of a link, started by the first call and shared by all threads."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Any] | None]] = {}
        self._lock = threading.Lock()
        self._ended = ""
        self._stderr = b""
        self._channel: paramiko.Channel = link.channel()
        self._channel.exec_command(f"exec python3 -I -c {shlex.quote(_LOADER)}")
        self._channel.sendall(source())
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the process still answers."""
        return not self._ended and self.link.alive

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
        """Perform acts, gather facts and return them by name.

        StepError with the act's own code when one fails; UnreachableError when the link is cut or no answer comes
        within `timeout_s` and a grace.
        """
        number = next(self._numbers)
        answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        request = {
            "id": number,
            "probes": dict(probes),
            "acts": list(acts),
            "lock": lock,
            "lock_wait_s": timeout_s,
            "redact": dict(redact or {}),
        }
        with self._lock:
            if self._ended:
                raise self._lost(phase, self._ended)
            self._waiting[number] = answers
            self._send(request)
        try:
            return self._follow(answers, subject, phase, timeout_s + _ANSWER_GRACE_S)
        finally:
            self._waiting.pop(number, None)

    def _send(self, request: dict[str, Any]) -> None:
        try:
            self._channel.sendall(json.dumps(request).encode() + b"\n")
        except (OSError, EOFError) as error:
            raise self._lost("send a request", f"{type(error).__name__}: {error}") from error

    def _follow(
        self, answers: queue.SimpleQueue[dict[str, Any] | None], subject: str, phase: str, patience_s: float
    ) -> Wire:
        while True:
            try:
                event = answers.get(timeout=patience_s)
            except queue.Empty:
                raise self._lost(phase, f"no answer within {patience_s:.0f} s") from None
            if event is None:
                raise self._lost(phase, self._ended)
            if event["event"] == "done":
                return event["result"]
            if event["event"] == "failed":
                raise self._failure(phase, event)
            say(subject, event["text"])

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

    def _lost(self, phase: str, why: str) -> UnreachableError:
        evidence = f"{why}\n{self._stderr.decode(errors='replace')}".strip()
        return UnreachableError(
            phase=phase,
            host=str(self.link.endpoint),
            command="python3 -I",
            exit_status=None,
            evidence=evidence,
            code="LINK_LOST",
            hint=f"nc -vz {self.link.endpoint.host} {self.link.endpoint.port}",
        )

    def _listen(self) -> None:
        why = "the worker ended"
        try:
            for line in self._channel.makefile("r"):
                event = json.loads(line)
                answers = self._waiting.get(event["id"])
                if answers is not None:
                    answers.put(event)
            if self._channel.recv_stderr_ready():
                self._stderr = self._channel.recv_stderr(1 << 14)
        except (OSError, EOFError, ValueError) as error:
            why = f"{type(error).__name__}: {error}"
        with self._lock:
            self._ended = why
            for answers in self._waiting.values():
                answers.put(None)


_workers: dict[int, Worker] = {}
_workers_lock = threading.Lock()


def worker(link: Link) -> Worker:
    """Return the link's worker, started where there is none that answers."""
    with _workers_lock:
        known = _workers.get(id(link))
        if known is None or not known.alive or known.link is not link:
            known = _workers[id(link)] = Worker(link)
        return known
