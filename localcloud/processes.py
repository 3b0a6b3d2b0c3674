"""Processes by identity: a number and the moment it started, so that a recycled number is never mistaken."""

from __future__ import annotations

__all__ = ["ProcessIdentity", "detach", "end", "reap"]

import os
import select
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STAT_START_FIELD = 19
"""Position of the start time in /proc/<pid>/stat, counted after the command name in parentheses."""

STANDARD_ERROR = 2
PLACES = frozenset(
    ("PATH", "HOME", "USER", "LOGNAME", "LANG", "SHELL", "TERM", "TMPDIR", "TZ", "VIRTUAL_ENV", "NO_PROXY", "no_proxy")
)
SURROUNDINGS = (
    *("DOCKER_", "GREENROOM_", "LC_", "PYTHON", "XDG_", "SSL_CERT_", "REQUESTS_CA_", "CURL_CA_"),
    *("PIP_", "UV_", "NPM_CONFIG_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
)
"""Beginnings of the names of variables that a process of ours may need for as long as it lives."""


@dataclass(frozen=True)
class ProcessIdentity:
    """A process that is, or was."""

    pid: int
    started_ticks: int

    @staticmethod
    def of(pid: int) -> ProcessIdentity | None:
        """Return the identity of a running process, or None; a zombie does not run."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else ProcessIdentity(pid, int(fields[STAT_START_FIELD]))

    @property
    def is_running(self) -> bool:
        """Whether this very process still runs."""
        return ProcessIdentity.of(self.pid) == self


def detach(command: list[str], log: Path) -> ProcessIdentity:
    """Start a process in a session of its own, reading nothing and writing to a log, and leave it to itself.

    It outlives its caller, so it takes nothing of the caller's along: no descriptors (one may be a lock), and of the
    environment only what says where things are; secrets that were given to one run are not shown for days.
    """
    pid = os.posix_spawn(
        command[0],
        command,
        {name: value for name, value in os.environ.items() if name in PLACES or name.startswith(SURROUNDINGS)},
        file_actions=[
            *((os.POSIX_SPAWN_CLOSE, number) for number in _inherited_descriptors()),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    identity = ProcessIdentity.of(pid)
    return identity or ProcessIdentity(pid, 0)


def _inherited_descriptors() -> list[int]:
    """Return the open descriptors past the standard three that a child would get."""
    numbers: list[int] = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the directory's own is gone by now
            if int(entry.name) > STANDARD_ERROR and os.get_inheritable(int(entry.name)):
                numbers.append(int(entry.name))
    return numbers


def end(process: ProcessIdentity, timeout_s: float) -> bool:
    """Ask a process to end, and kill it when it has not after the timeout; True when it ended by itself."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        # The handle is pinned before the identity is checked: what is signalled is what was checked.
        if not process.is_running:
            return True
        for number, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, timeout_s)):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], patience_s)[0]:
                return number == signal.SIGTERM
        return False
    finally:
        os.close(handle)


def reap(pid: int) -> None:
    """Let go of a process that has ended, where it was a child of this one."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
