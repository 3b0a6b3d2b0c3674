"""A command that somebody typed at the desk: its lines as they came, with the lab's clock, and how it ended."""

from __future__ import annotations

__all__ = ["Line", "Run"]

import contextlib
import json
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import IO, Any


@dataclass(frozen=True)
class Line:
    """One line that a command printed, and when by the lab's clock."""

    at: float
    stream: str
    text: str


@dataclass
class Run:
    """A command of a person at the desk, its lines as they came, and how it ended."""

    process: subprocess.Popen[str]
    began: float
    lines: list[Line] = field(default_factory=list[Line])
    ended: float = 0.0
    _readers: list[threading.Thread] = field(default_factory=list[threading.Thread])

    @property
    def status(self) -> int:
        """The exit status; a command that had to be stopped by the lab has a negative one."""
        return self.process.returncode

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    def text(self, stream: str) -> str:
        return "\n".join(line.text for line in self.lines if line.stream == stream)

    @property
    def document(self) -> dict[str, Any]:
        """The last JSON document of standard output; empty where there is none."""
        text = self.text("out")
        for start in (text.find("{"), text.rfind("\n{")):
            with contextlib.suppress(ValueError):
                return json.loads(text[max(start, 0) :])
        return {}

    def watch_streams(self) -> None:
        """Read both streams as they come."""
        for name, stream in (("out", self.process.stdout), ("err", self.process.stderr)):
            assert stream is not None
            reader = threading.Thread(target=self._read, args=(name, stream), daemon=True)
            reader.start()
            self._readers.append(reader)

    def _read(self, name: str, stream: IO[str]) -> None:
        with stream:
            for text in stream:
                self.lines.append(Line(time.monotonic(), name, text.rstrip("\n")))

    def wait(self, timeout_s: float) -> Run:
        """Wait for its end; past the limit it is asked to stop, and then made to."""
        for patience_s, insist in ((timeout_s, signal.SIGINT), (30.0, signal.SIGKILL), (10.0, signal.SIGKILL)):
            try:
                self.process.wait(patience_s)
                break
            except subprocess.TimeoutExpired:
                self.process.send_signal(insist)
        self.ended = time.monotonic()
        for reader in self._readers:
            reader.join(5)
        return self
