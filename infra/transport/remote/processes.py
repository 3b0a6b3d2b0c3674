"""Programs on the host: argument lists, never a shell; a deadline, a user and a clean environment for each."""

from __future__ import annotations

__all__ = ["Finished", "command_fact", "command_text", "run", "run_act", "stop_all"]

import contextlib
import os
import pwd
import shlex
import signal
import subprocess
import threading

from infra.transport.remote.report import ActFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from infra.transport.remote.report import Reporter

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TIMED_OUT = 124
_NOT_FOUND = 127
_KEPT_LINES = 400
_starting = threading.Lock()
_running: set[int] = set()


class Finished:
    """How a program ended."""

    def __init__(self, exit_status: int, stdout: str, stderr: str) -> None:
        self.exit_status, self.stdout, self.stderr = exit_status, stdout, stderr

    @property
    def printed(self) -> str:
        """Everything it said."""
        return (self.stdout + self.stderr).strip()


def command_text(argv: list[str], environment: dict[str, str] | None = None) -> str:
    """Return the command as a person would type it."""
    words = [f"{name}={shlex.quote(value)}" for name, value in (environment or {}).items()]
    return " ".join([*words, shlex.join(argv)])


def run(
    argv: list[str],
    *,
    cwd: str = "/",
    user: str = "",
    env: dict[str, str] | None = None,
    stdin: str = "",
    timeout_s: float = 60.0,
    on_line: Callable[[str], None] | None = None,
) -> Finished:
    """Run a program to its end or its deadline; exit status 124 stands for the deadline, 127 for no such program."""
    options: dict[str, Any] = {"cwd": cwd, "env": {**_base_environment(user), **(env or {})}, "start_new_session": True}
    if user and os.geteuid() == 0:
        # Changing the user in this process would take a fork of it, which costs a look more than one program more.
        entry = pwd.getpwnam(user)
        argv = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups", "--", *argv]
    merged = on_line is not None
    try:
        with _starting:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if merged else subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                **options,
            )
            _running.add(process.pid)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        return Finished(_NOT_FOUND, "", f"{argv[0]}: {error}")
    expired = threading.Event()
    alarm = threading.Timer(timeout_s, _expire, args=(process.pid, expired))
    alarm.start()
    try:
        finished = _stream(process, on_line) if on_line else _collect(process, stdin)
    finally:
        alarm.cancel()
        _running.discard(process.pid)
    if expired.is_set():
        return Finished(_TIMED_OUT, finished.stdout, f"{finished.stderr}\nno end after {timeout_s:.0f} s")
    return finished


def stop_all() -> None:
    """Kill every program that was started here and still runs, with all that it started; no other starts after that."""
    _starting.acquire()
    for pid in list(_running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def command_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Run a program that only asks, and tell how it ended."""
    finished = run(
        probe["argv"],
        cwd=probe.get("cwd", "/"),
        user=probe.get("user", ""),
        env=probe.get("env"),
        timeout_s=float(probe.get("timeout_s", 60.0)),
    )
    return {"exit_status": finished.exit_status, "stdout": finished.stdout, "stderr": finished.stderr}


def run_act(act: dict[str, Any], report: Reporter) -> None:
    """Perform a `run` act; ActFailure when its exit status is none of those that count as success."""
    argv: list[str] = act["argv"]
    prefix: str = act.get("stream", "")
    finished = run(
        argv,
        cwd=act.get("cwd", "/"),
        user=act.get("user", ""),
        env=act.get("env"),
        stdin=act.get("stdin", ""),
        timeout_s=float(act.get("timeout_s", 60.0)),
        on_line=_progress(report, prefix) if prefix else None,
    )
    if "keep" in act:
        act["printed"] = finished.printed
    if finished.exit_status not in act.get("accept", [0]):
        text = command_text(argv, act.get("env"))
        raise ActFailure(
            act.get("code", "COMMAND_FAILED"), text, finished.exit_status, finished.printed, act.get("hint", "")
        )


def _base_environment(user: str) -> dict[str, str]:
    home = pwd.getpwnam(user).pw_dir if user else os.path.expanduser("~")  # noqa: PTH111 (see report)
    name = user or "root"
    return {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": home, "USER": name, "LOGNAME": name}


def _expire(pid: int, expired: threading.Event) -> None:
    expired.set()
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended just now


def _collect(process: subprocess.Popen[str], stdin: str) -> Finished:
    out, err = process.communicate(stdin or None)
    return Finished(process.returncode, out, err)


def _stream(process: subprocess.Popen[str], on_line: Callable[[str], None]) -> Finished:
    kept: list[str] = []
    for line in process.stdout or ():
        kept.append(line)
        del kept[:-_KEPT_LINES]
        on_line(line.rstrip())
    return Finished(process.wait(), "".join(kept), "")


def _progress(report: Reporter, prefix: str) -> Callable[[str], None]:
    """Pass on the lines that tell a person something: a build's steps, not its chatter."""
    said: set[str] = set()

    def on_line(line: str) -> None:
        head, _, rest = line.partition(" ")
        is_step = head.startswith("#") and rest.startswith("[") and "internal]" not in rest
        if is_step and rest not in said:
            said.add(rest)
            report.say(f"{prefix}: {rest}")

    return on_line
