"""An operation that runs in the background, in a session of its own, with what is left of it swept up at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from enginelab.bench import Bench

LIMIT_S = 60.0


class Background:
    """A running engine process."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], directory: Path, bench: Bench) -> None:
        self.bench = bench
        self.log = bench.home / f"background-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                list(argv),
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def until(self, what: str, condition: Callable[[], object]) -> None:
        """Wait until something is the case."""
        limit = time.monotonic() + LIMIT_S
        while not condition():
            assert self.process.poll() is None or condition(), f"Ended before {what}: {self.text}"
            assert time.monotonic() < limit, f"Waited in vain for {what}: {self.text}"
            time.sleep(0.02)

    def until_called(self, call: str) -> None:
        """Wait until the provider has got a call such as `Create a`."""
        kind, _, name = call.partition(" ")
        self.until(call, lambda: any((e["call"], e["name"]) == (kind, name) for e in self.bench.world.entries()))

    def interrupt(self) -> None:
        """Send the engine what Ctrl-C sends."""
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill the engine, and then what it has left running."""
        self.process.kill()
        self.process.wait()
        self.sweep()

    def wait(self) -> int:
        """Wait for the end and give the exit status."""
        try:
            return self.process.wait(LIMIT_S)
        finally:
            self.sweep()

    @property
    def text(self) -> str:
        """What the engine has said."""
        return self.log.read_text(errors="replace")

    def sweep(self) -> None:
        """Kill whatever is left of the engine's session, and the laboratory's providers."""
        self.bench.close()
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = status.read_text().rpartition(")")[2].split()
                if int(fields[3]) == self.process.pid:
                    os.kill(int(status.parent.name), signal.SIGKILL)
