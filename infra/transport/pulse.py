"""Signs of life: a connection that stays silent is cut here, so that nobody waits for a dead one.

A black hole swallows what is sent and says nothing, and a proxy on the way may even acknowledge it. So the far end is
asked for an answer every few seconds, in both phases of a connection: while it is being made it has to make progress
by itself, afterwards it has to answer keepalives. Whatever arrives counts. Cutting the socket wakes everybody who
waits on the connection, whatever for.
"""

from __future__ import annotations

__all__ = ["DEAD_AFTER_S", "KEEPALIVE_S", "LiveSocket", "Pulse", "dial"]

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import paramiko

KEEPALIVE_S = 5.0
DEAD_AFTER_S = 15.0
_LOOK_S = 0.5


class LiveSocket(socket.socket):
    """A socket that remembers when something last arrived on it (`time.monotonic`)."""

    last_heard = 0.0

    def recv(self, *args: Any) -> bytes:
        """Receive, and note the time."""
        received = super().recv(*args)
        self.last_heard = time.monotonic()
        return received


def dial(host: str, port: int, timeout_s: float) -> LiveSocket:
    """Connect by TCP within the deadline; OSError when that fails."""
    plain = socket.create_connection((host, port), timeout=timeout_s)
    live = LiveSocket(fileno=plain.detach())
    live.last_heard = time.monotonic()
    live.settimeout(timeout_s)
    live.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # What was sent and is not acknowledged: the kernel gives up as early as we do, not after a quarter of an hour.
    live.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(DEAD_AFTER_S * 1000))
    return live


class Pulse:
    """Watches one socket until `stop`. `verdict` says why it was cut, if it was cut here."""

    def __init__(self, live: LiveSocket, *, silence_s: float, within_s: float) -> None:
        self.verdict = ""
        self._live = live
        self._silence_s = silence_s
        self._until = time.monotonic() + within_s
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, name="pulse", daemon=True).start()

    def settle(self, transport: paramiko.Transport) -> None:
        """Go over from the making of the connection to its life: no end, and an answer to each keepalive."""
        self._silence_s, self._until = DEAD_AFTER_S, float("inf")
        threading.Thread(target=self._beat, args=(transport,), name="keepalive", daemon=True).start()

    def stop(self) -> None:
        """Watch no more; harmless when it is over already."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            now = time.monotonic()
            if now - self._live.last_heard > self._silence_s:
                self.verdict = f"no sign of life for {self._silence_s:.0f} s"
            elif now > self._until:
                self.verdict = "the connection was not ready in time"
            if self.verdict:
                with contextlib.suppress(OSError):
                    self._live.shutdown(socket.SHUT_RDWR)
                return

    def _beat(self, transport: paramiko.Transport) -> None:
        import paramiko  # noqa: PLC0415 (see the module docstring of infra.transport)

        # paramiko's own keepalives ask for no answer, and an answer is the point.
        while transport.is_active() and not self._stopped.wait(KEEPALIVE_S):
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                transport.global_request("keepalive@openssh.com")
        self.stop()
