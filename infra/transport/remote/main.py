"""The worker's loop: a request a line on standard input, until the input ends.

What only asks is answered by a thread here. What acts is a job: see `infra.transport.remote.jobs`.
"""

from __future__ import annotations

__all__ = ["main", "perform"]

import fcntl
import json
import os
import sys
import threading
import time
import traceback
from typing import IO, TYPE_CHECKING, Any

from infra.transport.remote.checkout import checkout_act, checkout_fact
from infra.transport.remote.confirm import guard_act, pending_fact, undo_pending_act
from infra.transport.remote.database import database_password_act, database_passwords_fact
from infra.transport.remote.engine import EngineRefusal
from infra.transport.remote.evidence import evidence_fact
from infra.transport.remote.files import directory_act, file_fact, remove_act, write_act
from infra.transport.remote.gather import gather, remember_act
from infra.transport.remote.hardening import (
    ages_fact,
    daemon_fact,
    defs_act,
    defs_fact,
    files_act,
    firewall_fact,
    kernel_fact,
    sshd_fact,
    sysctl_act,
)
from infra.transport.remote.holding import hold_fact
from infra.transport.remote.jobs import Jobs
from infra.transport.remote.lock_file import lock_file_act
from infra.transport.remote.processes import run, run_act, stop_all
from infra.transport.remote.remedies import (
    prune_images_act,
    reload_proxy_act,
    remove_container_act,
    renew_certificate_act,
    restart_service_act,
    start_unit_act,
)
from infra.transport.remote.report import ActFailure, Redactor, Reporter, speak
from infra.transport.remote.stack import (
    containers_fact,
    down_act,
    exec_fact,
    images_fact,
    model_fact,
    remove_images_act,
    stack_fact,
)
from infra.transport.remote.start import start_act
from infra.transport.remote.system import (
    first_boot_fact,
    host_keys_fact,
    packages_fact,
    units_fact,
    user_fact,
)
from infra.transport.remote.vitals import vitals_fact
from infra.transport.remote.volume import mount_act, mount_fact
from infra.transport.remote.web import await_http_act, http_fact

if TYPE_CHECKING:
    from collections.abc import Callable

_LOCKS = "/run/greenroom"


def _command_fact(probe: dict[str, Any]) -> dict[str, Any]:
    finished = run(
        probe["argv"],
        cwd=probe.get("cwd", "/"),
        user=probe.get("user", ""),
        env=probe.get("env"),
        timeout_s=float(probe.get("timeout_s", 60.0)),
    )
    return {"exit_status": finished.exit_status, "stdout": finished.stdout, "stderr": finished.stderr}


def _gathered_fact(probe: dict[str, Any]) -> dict[str, Any]:
    return gather(probe, FACTS)


FACTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "ages": ages_fact,
    "checkout": checkout_fact,
    "command": _command_fact,
    "containers": containers_fact,
    "daemon": daemon_fact,
    "database_passwords": database_passwords_fact,
    "defs": defs_fact,
    "evidence": evidence_fact,
    "exec": exec_fact,
    "file": file_fact,
    "firewall": firewall_fact,
    "first_boot": first_boot_fact,
    "gathered": _gathered_fact,
    "hold": hold_fact,
    "host_keys": host_keys_fact,
    "http": http_fact,
    "images": images_fact,
    "kernel": kernel_fact,
    "model": model_fact,
    "mount": mount_fact,
    "packages": packages_fact,
    "pending": pending_fact,
    "sshd": sshd_fact,
    "stack": stack_fact,
    "units": units_fact,
    "user": user_fact,
    "vitals": vitals_fact,
}


def _together_act(act: dict[str, Any], report: Reporter) -> None:
    """Perform several acts side by side; the first failure counts, after all have ended."""
    failures: list[BaseException] = []

    def one(each: dict[str, Any]) -> None:
        try:
            ACTS[each["do"]](each, report)
        except Exception as error:  # noqa: BLE001 (handed to the waiting thread)
            failures.append(error)

    threads = [threading.Thread(target=one, args=(each,)) for each in act["acts"]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


ACTS: dict[str, Callable[[dict[str, Any], Reporter], None]] = {
    "await_http": await_http_act,
    "checkout": checkout_act,
    "database_password": database_password_act,
    "defs": defs_act,
    "directory": directory_act,
    "down": down_act,
    "files": files_act,
    "guard": guard_act,
    "lock_file": lock_file_act,
    "mount": mount_act,
    "prune_images": prune_images_act,
    "reload_proxy": reload_proxy_act,
    "remember": remember_act,
    "remove": remove_act,
    "remove_container": remove_container_act,
    "remove_images": remove_images_act,
    "renew_certificate": renew_certificate_act,
    "restart_service": restart_service_act,
    "run": run_act,
    "start": start_act,
    "start_unit": start_unit_act,
    "sysctl": sysctl_act,
    "together": _together_act,
    "undo_pending": undo_pending_act,
    "write": write_act,
}


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
    return {**kept, **{name: FACTS[probe["kind"]](probe) for name, probe in request.get("probes", {}).items()}}


def _act(act: dict[str, Any], report: Reporter) -> None:
    what = act.get("say") or act["do"]
    try:
        ACTS[act["do"]](act, report)
    except EngineRefusal as refusal:
        raise ActFailure("DOCKER_REFUSED", what, refusal.status, str(refusal), "systemctl status docker") from refusal
    except (OSError, KeyError) as error:
        raise ActFailure("ACT_FAILED", what, None, f"{type(error).__name__}: {error}") from error


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
        report.failed(ActFailure("WORKER_FAILED", "worker", None, traceback.format_exc()))


def _answer(request: dict[str, Any], jobs: Jobs) -> None:
    def send(event: dict[str, Any]) -> None:
        speak({"id": request["id"], **event})

    if not request.get("acts"):
        _serve(request, send)
        return
    try:
        jobs.follow(request, send)
    except Exception:  # noqa: BLE001 (told to the controller, which raises)
        lost = ActFailure("JOB_NOT_FOLLOWED", f"job {request['job']}", None, traceback.format_exc(), "df -h /run")
        Reporter(send, Redactor([])).failed(lost)


def main() -> None:
    """Serve until standard input ends. Only whole lines count: a request that was cut in the middle is none."""
    # A hardened host's umask keeps others out; a checkout and what is built of it are read by containers' users.
    os.umask(0o022)
    jobs = Jobs(_serve)
    speak({"event": "hello", "era": jobs.era})
    for line in sys.stdin:
        if not line.endswith("\n"):
            break
        request = json.loads(line)
        if "acknowledge" in request:
            jobs.acknowledge(request["acknowledge"])
        else:
            threading.Thread(target=_answer, args=(request, jobs), daemon=True).start()
    stop_all()
    os._exit(0)
