"""One worker process at the far end of one link: told what to become, then a line for each request and event."""

from __future__ import annotations

__all__ = ["ConnectionCut", "Session"]

import itertools
import json
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import paramiko

    from infra.transport.code import Code
    from infra.transport.link import Link

    Event = dict[str, Any]

_COMMAND = "exec python3 -I -S -c 'import sys; exec(eval(sys.stdin.readline()))'"
"""What `ps` shows on the host; all else comes by standard input. `site` would find nothing, and take its time."""
_SEND_TIMEOUT_S = 20.0
_START_TIMEOUT_S = 20.0
_CHUNK = 1 << 15


class ConnectionCut(Exception):  # noqa: N818 (an occurrence that the caller mends, no error yet)
    """The conversation ended before the answer was there; `futile` where the worker can't be started there at all."""

    def __init__(self, why: str, *, futile: bool = False) -> None:
        super().__init__(why)
        self.futile = futile


class Session:
    """A conversation, shared by all threads. Whatever ends it ends every wait in it, with ConnectionCut."""

    def __init__(self, link: Link, code: Code) -> None:
        self.link = link
        self._code = code
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[Event | None]] = {}
        self._lock = threading.Lock()
        self._hello = threading.Event()
        self._era = ""
        self._ended = ""
        self._exited = False
        self._channel: paramiko.Channel = link.start(_COMMAND)
        self._channel.settimeout(_SEND_TIMEOUT_S)
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        self._send(code.first)

    @property
    def alive(self) -> bool:
        """Whether the worker still answers."""
        return not self._ended and self.link.alive

    def era(self) -> str:
        """Return the era of the host's job records, waiting for the worker to be up."""
        if not self._hello.wait(_START_TIMEOUT_S) or not self._era:
            raise self._cut(self._ended or f"the worker did not start within {_START_TIMEOUT_S:.0f} s")
        return self._era

    def ask(self, request: Event, deadline: float) -> Generator[Event]:
        """Send a request and yield its events up to the last one; TimeoutError at the deadline (`time.monotonic`)."""
        number = next(self._numbers)
        answers: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        with self._lock:
            if self._ended:
                raise self._cut(self._ended)
            self._waiting[number] = answers
        try:
            self._send(json.dumps({**request, "id": number}).encode() + b"\n")
            while True:
                try:
                    event = answers.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    raise TimeoutError from None
                if event is None:
                    raise self._cut(self._ended)
                yield event
        finally:
            self._waiting.pop(number, None)

    def acknowledge(self, job: str) -> None:
        """Tell the host that a job's result has arrived; nobody waits for that, and a loss does no harm."""
        try:
            self._send(json.dumps({"acknowledge": job}).encode() + b"\n")
        except ConnectionCut:
            return  # the record ends by its age then

    def _send(self, content: bytes) -> None:
        try:
            self._channel.sendall(content)
        except (OSError, EOFError) as error:
            raise self._cut(self.link.verdict or self._ended or str(error) or "the conversation was cut") from error

    def _cut(self, why: str) -> ConnectionCut:
        return ConnectionCut(why, futile=self._exited and not self._era)

    def _listen(self) -> None:
        why = ""
        try:
            for line in self._lines():
                event = json.loads(line)
                if event["event"] == "hello":
                    self._era = event["era"]
                    self._hello.set()
                elif event["event"] == "code":
                    self._send(self._code.rest)
                elif answers := self._waiting.get(event["id"]):
                    answers.put(event)
        except (OSError, EOFError, ValueError, ConnectionCut) as error:
            why = f"{type(error).__name__}: {error}"
        with self._lock:
            self._ended = why or self._farewell()
            for answers in self._waiting.values():
                answers.put(None)
        self._hello.set()

    def _lines(self) -> Iterator[bytes]:
        pending = b""
        while True:
            try:
                chunk = self._channel.recv(_CHUNK)
            except TimeoutError:
                continue  # nothing to say is no sign of death; the link's keepalives look after that
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            yield from lines

    def _farewell(self) -> str:
        """Say why the stream ended: we cut a silent link, the network did, or the process itself came to an end."""
        self._channel.status_event.wait(1.0)
        self._exited = self._channel.exit_status >= 0
        if not self._exited:
            return self.link.verdict or "the conversation was cut"
        said = self._channel.recv_stderr(_CHUNK).decode(errors="replace") if self._channel.recv_stderr_ready() else ""
        return f"the worker ended with status {self._channel.exit_status}\n{said}".strip()
