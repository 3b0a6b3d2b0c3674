"""Jobs: a request with acts runs in a process of its own, which a cut link neither ends nor doubles.

The controller gives each such request an id, the same however often it has to ask. On the host a job is one file,
`/run/greenroom/jobs/<id>`: 0600, on tmpfs, in a directory that only root may enter. It holds the job's events, a JSON
line each: `began`, any number of `say`, and last `done` or `failed`.

- *Started at most once.* Whoever holds the file's lock (flock) runs the job. A request takes the lock if it can. Got it
  and the file is empty: the job is new; the lock is handed, with the request, to a process that was forked for it.
  Got it and the file is not empty: the job has ended. Did not get it: the job runs, and its file is followed.
- *Ends by itself.* The job has a session of its own and a deadline of its own: past `deadline_s` all that it started is
  killed, and `failed` says so. A job that is killed leaves a file without an end, which is told as that; never rerun.
- *Kept until it arrived.* The controller acknowledges the last event; then the file is cut down to its first line. That
  line stays: a copy of the request that comes late finds it, and starts nothing. Ended jobs go when they are a day
  old, or an hour old and not among the newest; an hour is longer than the controller asks again for.
- *Secrets stay in memory.* The request goes to the job's process by a socket; only events are written, masked.
- *A restart of the host* takes `/run` with it. `hello`, the first line of every conversation, carries the era of the
  records: made with their directory, gone with it. A controller that finds another era knows that nobody can tell how
  far its job came; it does not ask again, but looks at the host and plans anew.
"""

from __future__ import annotations

__all__ = ["Jobs", "reap", "start_for_each"]

import contextlib
import errno
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from infra.transport.remote.processes import stop_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Send = Callable[[dict[str, Any]], None]
    Perform = Callable[[dict[str, Any], Send], None]

DIRECTORY = "/run/greenroom/jobs"
_ERA = ".era"
_SHORTEST_POLL_S, _LONGEST_POLL_S = 0.001, 0.05
_KEPT_NEWEST, _KEPT_S, _SURELY_KEPT_S = 500, 86_400.0, 3_600.0
_LENGTH_BYTES = 8


class Jobs:
    """Starts jobs and follows them, for the worker at the end of one link.

    `program` writes what the process that starts them runs; it is given the socket's handle there.
    """

    def __init__(self, program: Callable[[int], str]) -> None:
        for folder in (os.path.dirname(DIRECTORY), DIRECTORY):  # noqa: PTH120 (pathlib costs start-up time)
            os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
        self.era = _era()
        self._program = program
        self._lock = threading.Lock()
        self._starter: socket.socket | None = None

    def follow(self, request: dict[str, Any], send: Send) -> None:
        """Start the request's job where there is none yet, and send its events, but the first `seen` that were said."""
        with contextlib.closing(_Record(_path(request["job"]))) as record:
            self._follow(request, record, send)

    def _follow(self, request: dict[str, Any], record: _Record, send: Send) -> None:
        started, unsaid = time.monotonic(), -int(request["seen"])
        while True:
            ended = record.is_free()
            for event in record.read():
                unsaid += event["event"] == "say"
                if event["event"] != "say" or unsaid > 0:
                    send(event)
                if event["event"] in {"done", "failed"}:
                    return
            if ended and record.is_empty:
                self._start(request, record)
            elif ended:
                why = "its process ended without a result: it was killed, or memory ran out"
                send(_failure("JOB_DIED", request["job"], why))
                return
            elapsed = time.monotonic() - started
            time.sleep(min(_LONGEST_POLL_S, max(_SHORTEST_POLL_S, elapsed / 20)))

    @staticmethod
    def acknowledge(job: str) -> None:
        """Drop the result of a job that has ended, and keep the line that says it was here."""
        with contextlib.suppress(FileNotFoundError), open(_path(job), "rb+") as record:  # noqa: PTH123
            record.truncate(len(record.readline()))

    def _start(self, request: dict[str, Any], record: _Record) -> None:
        content = json.dumps(request).encode()
        with self._lock:
            starter = self._starter or _new_starter(self._program)
            self._starter = None  # until it has taken this one
            head = len(content).to_bytes(_LENGTH_BYTES, "big")
            socket.send_fds(starter, [head], [record.handle])
            starter.sendall(content)
            self._starter = starter
        record.hand_over()


class _Record:
    """A job's file, with a place to read on from; the lock belongs to the handle, and to whoever got a copy of that."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0
        self.handle = self._open()

    @property
    def is_empty(self) -> bool:
        """Whether the job has never begun."""
        return os.fstat(self.handle).st_size == 0

    def is_free(self) -> bool:
        """Take the lock; False when a process has it: the job runs. It is kept until the next look."""
        fcntl.flock(self.handle, fcntl.LOCK_UN)
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def read(self) -> list[dict[str, Any]]:
        """Return the events that were added since the last look."""
        content = b""
        while chunk := os.pread(self.handle, 1 << 20, self._offset + len(content)):
            content += chunk
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def hand_over(self) -> None:
        """Keep looking, by a handle that has no part in the lock."""
        self.close()
        self.handle = self._open()

    def close(self) -> None:
        """Close the file."""
        os.close(self.handle)

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)


def reap(directory: str, now: float) -> None:
    """Remove the records of ended jobs that nobody will ask for again; `now` is in seconds since the epoch."""
    entries = [entry for entry in os.scandir(directory) if entry.name != _ERA]
    by_age = sorted(entries, key=lambda entry: entry.stat().st_mtime, reverse=True)
    for number, entry in enumerate(by_age):
        age_s = now - entry.stat().st_mtime
        if age_s > _KEPT_S or (number >= _KEPT_NEWEST and age_s > _SURELY_KEPT_S):
            gone_or_running = contextlib.suppress(FileNotFoundError, BlockingIOError)
            with gone_or_running, open(entry.path, "rb") as record:  # noqa: PTH123
                fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(entry.path)  # noqa: PTH108


def _era() -> str:
    """Return the name of this boot's records: a symbolic link, since making one is atomic and needs no content."""
    path = f"{DIRECTORY}/{_ERA}"
    with contextlib.suppress(FileExistsError):
        os.symlink(os.urandom(8).hex(), path)  # noqa: PTH211
    return os.readlink(path)  # noqa: PTH115


def _path(job: str) -> str:
    if not re.fullmatch("[0-9a-f]{8,64}", job):
        raise ValueError(f"Not a job id: {job!r}")
    return f"{DIRECTORY}/{job}"


def _new_starter(program: Callable[[int], str]) -> socket.socket:
    """Start the process that starts jobs: no part of the link, whose end it outlives, and with a session of its own.

    It is started for the first job: a look has none, and forking this process beforehand costs it a twentieth.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", "import sys; exec(eval(sys.stdin.readline()))"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        if process.stdin:
            with process.stdin as stream:
                stream.write(ascii(program(theirs.fileno())).encode() + b"\n")
    return ours


def start_for_each(requests: socket.socket, perform: Perform, prepare: Callable[[], None]) -> None:
    """Fork a process for each request; this one has a single thread, so that forking it is safe. Never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    prepare()
    reap(DIRECTORY, time.time())
    while True:
        head, handles, _, _ = socket.recv_fds(requests, _LENGTH_BYTES, 1)
        content = _exactly(requests, int.from_bytes(head, "big"))
        if not head or content is None:
            os._exit(0)
        if os.fork() == 0:
            requests.close()
            _run(json.loads(content), handles[0], perform)
        os.close(handles[0])


def _exactly(source: socket.socket, size: int) -> bytes | None:
    content = bytearray()
    while len(content) < size:
        chunk = source.recv(min(1 << 20, size - len(content)))
        if not chunk:
            return None
        content += chunk
    return bytes(content)


def _run(request: dict[str, Any], record: int, perform: Perform) -> None:
    """Be the job. Never returns."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    speaking = threading.Lock()

    def send(event: dict[str, Any]) -> None:
        with speaking:
            _append(record, event)

    def expire() -> None:
        with speaking:  # nothing that ends because of the deadline is told as if it had failed by itself
            stop_all()
            event = _failure("JOB_DEADLINE", request["job"], f"no end after {request['deadline_s']:.0f} s; stopped")
            _append(record, event)
            os._exit(1)

    send({"event": "began", "pid": os.getpid()})
    alarm = threading.Timer(float(request["deadline_s"]), expire)
    alarm.daemon = True
    alarm.start()
    try:
        perform(request, send)
    finally:
        os._exit(0)


def _append(record: int, event: dict[str, Any]) -> None:
    line, size = json.dumps(event).encode() + b"\n", os.fstat(record).st_size
    if os.write(record, line) < len(line):
        os.ftruncate(record, size)
        raise OSError(errno.ENOSPC, "no space left for the job's events", DIRECTORY)


def _failure(code: str, job: str, why: str) -> dict[str, Any]:
    hint = "greenroom up   # looks at the host first, and does what is still missing"
    what = {"code": code, "command": f"job {job}", "exit_status": None, "evidence": why, "hint": hint}
    return {"event": "failed", **what}
