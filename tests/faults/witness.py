"""Everything that ran: what the kernel, the droplet's Docker engine and the cloud's API saw while somebody was healing.

The kernel's part is a trace of execve and kill on the whole machine (droplets share its kernel), told apart by process
namespace, so no short-lived command is missed, and nothing has to run on the droplet for it. What it can't see is what
a process does by itself, without starting another: a file that the worker writes or removes, a call to the Docker
engine's socket. For the latter there is the engine's own stream of events, for the former the judge's comparison.
"""

from __future__ import annotations

__all__ = ["ApiCall", "Execution", "Kill", "Record", "Tracer", "Witness", "can_trace"]

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from bed import Lab

UNIFIED = Path("/sys/fs/cgroup/unified")
SEPARATOR = "\x1f"
EVENTS = (
    *("create", "destroy", "die", "kill", "oom", "pause", "unpause", "rename", "restart", "start", "stop", "update"),
    *("remove", "prune", "delete", "untag", "tag", "connect", "disconnect"),
)
PROGRAM = r"""
tracepoint:syscalls:sys_enter_execve {
  $t = (struct task_struct *)curtask; $n = $t->nsproxy->pid_ns_for_children;
  printf("X %llu %d %d %llu %u %u %s\x1f", nsecs, pid, $t->real_parent->tgid, cgroup, $n->ns.inum, $n->parent->ns.inum,
    $t->real_parent->comm);
  join(args->argv, "\x1f");
}
tracepoint:syscalls:sys_enter_execveat {
  $t = (struct task_struct *)curtask; $n = $t->nsproxy->pid_ns_for_children;
  printf("X %llu %d %d %llu %u %u %s\x1f", nsecs, pid, $t->real_parent->tgid, cgroup, $n->ns.inum, $n->parent->ns.inum,
    $t->real_parent->comm);
  join(args->argv, "\x1f");
}
tracepoint:syscalls:sys_enter_kill {
  $t = (struct task_struct *)curtask; $n = $t->nsproxy->pid_ns_for_children;
  printf("K %llu %d %d %llu %u %u %d %d %s\n", nsecs, pid, $t->real_parent->tgid, cgroup, $n->ns.inum,
    $n->parent->ns.inum, args->pid, args->sig, comm);
}
tracepoint:sched:sched_process_fork { printf("F %d %d\n", args->parent_pid, args->child_pid); }
tracepoint:sched:sched_process_exit { printf("E %d\n", args->pid); }
"""
MOUNTED = (
    "mount -t debugfs none /sys/kernel/debug && { mount -t tracefs none /sys/kernel/debug/tracing || :; } 2>/dev/null"
)
_LINE = re.compile(r"([XK]) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (.*)", re.DOTALL)
_API = re.compile(r"(?P<at>[\d-]+ [\d:,]+) INFO (?P<method>[A-Z]+) (?P<path>/v2/\S+) -> (?P<status>\d+)")
Where = Literal["droplet", "container", "desk"]


@dataclass(frozen=True)
class Execution:
    """A program that was started."""

    where: Where
    parent: str
    """The name of the process that started it."""
    argv: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.argv)


@dataclass(frozen=True)
class Kill:
    """A signal that was sent: 0 only asks whether somebody lives."""

    where: Where
    sender: str
    signal: int


@dataclass(frozen=True)
class ApiCall:
    """A request that changes something in the cloud."""

    method: str
    path: str
    status: int


@dataclass(frozen=True)
class Record:
    """All that was seen in one window of time."""

    executions: tuple[Execution, ...] = ()
    kills: tuple[Kill, ...] = ()
    events: tuple[dict[str, Any], ...] = ()
    calls: tuple[ApiCall, ...] = ()
    traced: bool = False


@functools.cache
def can_trace() -> str:
    """Say why commands can't be traced on this machine; empty where they can."""
    if shutil.which("bpftrace") is None:
        return "bpftrace is not installed"
    if os.geteuid() != 0:
        return "only root may trace"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"{MOUNTED}; exec bpftrace -e 'BEGIN {{ exit(); }}'"],
        check=False,
        capture_output=True,
        text=True,
    )
    return "" if done.returncode == 0 else f"bpftrace: {done.stderr.strip()[-200:]}"


class Tracer:
    """The kernel's trace, started once for the whole lab: starting it takes seconds, and it costs next to nothing."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin; returns once something was seen."""
        self._process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", f'{MOUNTED}; exec bpftrace -B line -e "$0"', PROGRAM],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env={**os.environ, "BPFTRACE_STRLEN": "200", "BPFTRACE_PERF_RB_PAGES": "1024"},
        )
        assert self._process.stdout is not None
        threading.Thread(target=self._keep, args=(self._process.stdout,), daemon=True).start()
        deadline = time.monotonic() + 60
        while not self.is_on and time.monotonic() < deadline:
            subprocess.run(["true"], check=True)  # something for it to see
            time.sleep(0.2)

    def _keep(self, stream: IO[str]) -> None:
        with stream:
            self.lines.extend(stream)

    @property
    def is_on(self) -> bool:
        """Whether it sees anything."""
        return self._process is not None and self._process.poll() is None and len(self.lines) > 1

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(2)
            self._process.wait(30)


@dataclass
class Witness:
    """Looks on from `start` to `stop`."""

    lab: Lab
    tracer: Tracer
    _events: list[dict[str, Any]] = field(default_factory=list["dict[str, Any]"])
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])
    _listening: list[subprocess.Popen[str]] = field(default_factory=list["subprocess.Popen[str]"])
    _log_from: int = 0
    _from: int = 0
    _ours: frozenset[int] = frozenset()
    _namespaces: frozenset[int] = frozenset()

    def start(self) -> Witness:
        """Begin to look."""
        self._identify()
        self.lab.started.clear()  # a number of a process that has ended may be another's by now
        self._log_from = self._log.stat().st_size
        self.tracer.lines.clear()
        listener = threading.Thread(target=self._listen, daemon=True)
        listener.start()
        self._threads.append(listener)
        return self

    def _identify(self) -> None:
        """Note by what processes on the droplet are known, and those that the lab itself sends there."""
        form = "{{.State.Pid}} {{.Id}}"
        said = subprocess.run(
            ["docker", "inspect", "--format", form, self.lab.machine], check=True, capture_output=True, text=True
        ).stdout.split()
        with contextlib.suppress(OSError):  # a droplet that is off has none
            self._namespaces |= {int(str(Path(f"/proc/{said[0]}/ns/pid").readlink()).strip("pid:[]"))}
        place = UNIFIED / "docker" / said[1]
        self._ours |= {path.stat().st_ino for path in (place, place / "init.scope") if path.exists()}

    def _listen(self) -> None:
        """Keep what the droplet's engine tells, also across its restarts."""
        filters = "".join(f" --filter event={name}" for name in EVENTS)
        while not self._over.is_set():
            since = int(time.time())
            argv = ["docker", "exec", self.lab.machine, "sh", "-c"]
            with subprocess.Popen(
                [*argv, f"exec docker events --since {since} --format '{{{{json .}}}}'{filters}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ) as listening:
                self._listening.append(listening)
                for line in listening.stdout or ():
                    with contextlib.suppress(ValueError):
                        self._events.append(json.loads(line))
            self._over.wait(0.3)

    def injected(self) -> None:
        """Say that the fault is there: what the engine and the cloud are asked from now on is not its doing."""
        self._from = time.time_ns()
        self._log_from = self._log.stat().st_size

    def stop(self) -> Record:
        """Stop looking and tell what was seen."""
        time.sleep(0.3)
        self._over.set()
        for listening in self._listening:
            listening.terminate()
        self.lab.shell("pkill -x -f 'docker events .*' || true", check=False)
        for thread in self._threads:
            thread.join(5)
        with contextlib.suppress(OSError, subprocess.CalledProcessError, AssertionError):
            self._identify()  # a droplet that was started again has others
        executions, kills = self._read_trace()
        events = tuple(each for each in self._events if int(each.get("timeNano", 0)) >= self._from)
        return Record(tuple(executions), tuple(kills), events, tuple(self._calls()), self.tracer.is_on)

    def _read_trace(self) -> tuple[list[Execution], list[Kill]]:
        executions: list[Execution] = []
        kills: list[Kill] = []
        desk = _Family(set(self.lab.started))
        for line in list(self.tracer.lines):
            if line.startswith("F "):
                desk.fork(*map(int, line.split()[1:3]))
                continue
            if line.startswith("E "):
                desk.members.discard(int(line.split()[1]))
                continue
            match = _LINE.match(line.rstrip("\n"))
            if match is None:
                continue
            kind, pid, cgroup = match[1], int(match[3]), int(match[5])
            where = self._where(int(match[6]), int(match[7]), pid, cgroup, desk)
            if where is None:
                continue
            if kind == "X":
                parent, *argv = match[8].split(SEPARATOR)
                executions.append(Execution(where, parent, tuple(argv)))
            else:
                _, number, sender = match[8].split(" ", 2)
                kills.append(Kill(where, sender, int(number)))
        return executions, kills

    def _where(self, namespace: int, parent: int, pid: int, cgroup: int, desk: _Family) -> Where | None:
        """Tell where a process is; None for one that is somebody else's, or the lab's own."""
        if namespace in self._namespaces:
            return None if cgroup in self._ours else "droplet"
        if parent in self._namespaces:
            return "container"
        return "desk" if parent == 0 and pid in desk.members else None

    @property
    def _log(self) -> Path:
        return self.lab.home / "cloud/server.log"

    def _calls(self) -> list[ApiCall]:
        """Read which changes were asked of the cloud."""
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._log_from)
            found = [match for line in log if (match := _API.match(line))]
        return [ApiCall(m["method"], m["path"], int(m["status"])) for m in found if m["method"] != "GET"]


@dataclass
class _Family:
    """What a person at the desk has started, and all that descends from it."""

    members: set[int]
    """Process and thread numbers; one that has ended is taken out, as the kernel gives its number to another."""

    def fork(self, parent: int, child: int) -> None:
        if parent in self.members:
            self.members.add(child)
