"""The processes of a run, seen from the engine: the launcher, and the children it starts.

Each child lives in a session of its own, so that an interrupt at the terminal reaches only the engine, which then
decides. The launcher outlives the engine just long enough to end them, even if the engine is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import BinaryIO

STOP_PATIENCE_S = 5.0
TAIL_LINES = 20
LAUNCHER = Path(__file__).with_name("launcher.py")


class Child:
    """A process of the run."""

    def __init__(self, stdout: BinaryIO, stderr: BinaryIO) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.pid = 0
        self.status: int | None = None
        self.is_drained = False
        self._started = threading.Event()
        self._ended = threading.Event()

    def note_start(self, pid: int) -> None:
        """Take the pid the launcher reports; none means that the process could not be started."""
        self.pid = pid
        self._started.set()
        if not pid:
            self.note_end(127)

    def note_end(self, status: int) -> None:
        """Take the exit status; only the first one counts."""
        if not self._ended.is_set():
            self.status = status
            self._started.set()
            self._ended.set()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Return the exit status, or None when it is still running after the timeout."""
        self._ended.wait(timeout_s)
        return self.status

    def signal(self, number: int) -> None:
        """Send a signal to its process group, as soon as it has one."""
        self._started.wait(STOP_PATIENCE_S)
        if self.pid and not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def close(self) -> None:
        """Close the output of an ended process that nobody has read."""
        if not self.is_drained:
            self.stdout.close()
            self.stderr.close()


class Launcher:
    """The engine's end of the launcher process."""

    def __init__(self, python: str, directory: Path, environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._lock = threading.Lock()
        self._children: dict[int, Child] = {}
        self._next_key = 0
        with theirs:
            self._process = subprocess.Popen(
                [python, "-P", "-u", str(LAUNCHER), str(theirs.fileno())],
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_answers, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def prepare(self, modules: Sequence[str]) -> None:
        """Ask for modules to be imported before the next child; those that can't be are passed over."""
        if modules:
            self._send({"role": "import", "modules": list(modules)}, [])

    def start(self, request: Mapping[str, Any]) -> Child:
        """Ask for a child; one that is forked really runs when the SDK has been imported."""
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        child = Child(os.fdopen(out_read, "rb"), os.fdopen(err_read, "rb"))
        with self._lock:
            self._next_key += 1
            key = self._next_key
            self._children[key] = child
        try:
            self._send({**request, "key": key}, [out_write, err_write])
        finally:
            os.close(out_write)
            os.close(err_write)
        return child

    def _send(self, request: Mapping[str, Any], descriptors: list[int]) -> None:
        data = json.dumps(request).encode()
        with self._lock, contextlib.suppress(OSError):
            socket.send_fds(self._socket, [len(data).to_bytes(8, "big")], descriptors)
            self._socket.sendall(data)

    def _read_answers(self) -> None:
        with self._socket.makefile("rb") as answers:
            for line in answers:
                self._take_answer(json.loads(line))
        status = self._process.wait()
        for child in list(self._children.values()):
            child.note_end(status or 1)

    def _take_answer(self, answer: Mapping[str, Any]) -> None:
        if "started" in answer:
            self._children[answer["started"]].note_start(answer["pid"])
            return
        for child in list(self._children.values()):
            if child.pid == answer["ended"]:
                child.note_end(answer["status"])

    def _read_errors(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - a pipe was asked for
        for line in self._process.stderr:
            self._errors = [*self._errors[-TAIL_LINES:], line.decode(errors="replace").rstrip()]

    @property
    def complaint(self) -> str:
        """What the launcher itself wrote to its stderr: why the SDK could not be imported, for one."""
        return "\n".join(self._errors)

    def close(self) -> None:
        """Close our end, which ends the launcher and whatever it still runs."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._process.poll() is None:
            try:
                self._process.wait(STOP_PATIENCE_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        for reader in self._readers:
            reader.join()
        self._socket.close()
        if self._process.stderr:
            self._process.stderr.close()


class Drain:
    """Reads a child's output to its end, line by line, and keeps the tail for error messages."""

    def __init__(self, child: Child, on_line: Callable[[str], None]) -> None:
        child.is_drained = True
        self._tail: list[str] = []
        self._on_line = on_line
        self._threads = [
            threading.Thread(target=self._read, args=(stream,), daemon=True) for stream in (child.stdout, child.stderr)
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: BinaryIO) -> None:
        with stream:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip()
                self._tail = [*self._tail[-TAIL_LINES:], line]
                if line:
                    self._on_line(line)

    def finish(self, timeout_s: float = 1.0) -> str:
        """Wait for the output's end and return its tail."""
        for thread in self._threads:
            thread.join(timeout_s)
        return "\n".join(self._tail)


def stop(children: Sequence[Child], patience_s: float = STOP_PATIENCE_S) -> None:
    """Interrupt all, wait, and kill what is left."""
    for child in children:
        if child.wait(0) is None:
            child.signal(signal.SIGINT)
    for child in children:
        if child.wait(patience_s) is None:
            child.signal(signal.SIGKILL)
    for child in children:
        child.wait(patience_s)
