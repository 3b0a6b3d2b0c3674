"""The worker's loop: a request a line on standard input, until the input ends.

What only asks is answered by a thread here. What acts is a job: see `infra.transport.remote.jobs`.
"""

from __future__ import annotations

__all__ = ["main", "perform", "start_jobs"]

import fcntl
import itertools
import json
import os
import socket
import sys
import threading
import time

from infra.transport.remote import verbs
from infra.transport.remote.jobs import Jobs, start_for_each
from infra.transport.remote.processes import stop_all
from infra.transport.remote.report import ActFailure, Redactor, Reporter, speak

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import IO, Any

_LOCKS = "/run/greenroom"


def perform(request: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Perform the request's acts in order, then gather its facts."""
    acts: list[dict[str, Any]] = request.get("acts", [])
    kept: dict[str, Any] = {}
    if acts:
        with _hold(request.get("lock", "host"), float(request.get("lock_wait_s", 60.0)), report):
            for act in acts:
                if act.get("say"):
                    report.say(act["say"])
                _act(act, report)
                if "printed" in act:
                    kept[act["keep"]] = report.redactor.clean(act["printed"])
    return {**kept, **{name: verbs.fact(probe) for name, probe in request.get("probes", {}).items()}}


def _act(act: dict[str, Any], report: Reporter) -> None:
    what = act.get("say") or act["do"]
    try:
        verbs.act(act, report)
    except (OSError, KeyError) as error:
        raise ActFailure("ACT_FAILED", what, None, f"{type(error).__name__}: {error}") from error
    except Exception as error:
        from infra.transport.remote.engine import EngineRefusal  # noqa: PLC0415 (only what spoke with it has it loaded)

        if not isinstance(error, EngineRefusal):
            raise
        raise ActFailure("DOCKER_REFUSED", what, error.status, str(error), "systemctl status docker") from error


class _hold:  # noqa: N801 (reads as a verb where it is used)
    """Hold a named lock: what an earlier, cut-off run still does is waited for, never doubled."""

    def __init__(self, name: str, wait_s: float, report: Reporter) -> None:
        self._path, self._wait_s, self._report = f"{_LOCKS}/{name}.lock", wait_s, report
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        os.makedirs(_LOCKS, mode=0o700, exist_ok=True)  # noqa: PTH103
        self._file = open(self._path, "w")  # noqa: PTH123
        deadline = time.monotonic() + self._wait_s
        said = False
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    self._file.close()
                    raise ActFailure("HOST_BUSY", f"flock {self._path}", None, "", f"fuser -v {self._path}") from None
                if not said:
                    self._report.say("waiting for the step that an earlier run has left running")
                    said = True
                time.sleep(0.1)
            else:
                return

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _serve(request: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> None:
    redact = request.get("redact", {})
    redactor = Redactor.of_env_file(redact.get("path", ""), redact.get("names", []))
    report = Reporter(send, redactor)
    try:
        report.done(perform(request, report))
    except ActFailure as failure:
        report.failed(failure)
    except Exception:  # noqa: BLE001 (told to the controller, which raises)
        report.failed(ActFailure("WORKER_FAILED", "worker", None, _trace()))


def _answer(request: dict[str, Any], jobs: Jobs) -> None:
    def send(event: dict[str, Any]) -> None:
        speak({"id": request["id"], **event})

    if not request.get("acts"):
        _serve(request, send)
        return
    try:
        jobs.follow(request, send)
    except Exception:  # noqa: BLE001 (told to the controller, which raises)
        lost = ActFailure("JOB_NOT_FOLLOWED", f"job {request['job']}", None, _trace(), "df -h /run")
        Reporter(send, Redactor([])).failed(lost)


def _trace() -> str:
    import traceback  # noqa: PLC0415 (as all that a request seldom needs)

    return traceback.format_exc()


def start_jobs(handle: int) -> None:
    """Be the process that starts jobs, for the worker at the other end of a socket."""
    start_for_each(socket.socket(fileno=handle), _serve, verbs.load_all)


def main(early: Iterable[str], another: Callable[[str], str]) -> None:
    """Serve until standard input ends, `early` lines of it first. A request that was cut in the middle is none.

    `another` writes a program for a process that has these modules too.
    """
    # A hardened host's umask keeps others out; a checkout and what is built of it are read by containers' users.
    os.umask(0o022)
    jobs = Jobs(lambda handle: another(f"from {__name__} import start_jobs; start_jobs({handle})"))
    speak({"event": "hello", "era": jobs.era})
    for line in itertools.chain(early, sys.stdin):
        if not line.endswith("\n"):
            break
        request = json.loads(line)
        if "acknowledge" in request:
            jobs.acknowledge(request["acknowledge"])
        else:
            threading.Thread(target=_answer, args=(request, jobs), daemon=True).start()
    stop_all()
    os._exit(0)
