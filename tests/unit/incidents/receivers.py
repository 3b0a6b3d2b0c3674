"""Real HTTP servers that play the far ends of the channels: each request is kept, each answer is the next of a list."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localcloud.digitalocean.tls import Certificates


@dataclass(frozen=True)
class Reply:
    """One answer of a server."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    hang_s: float = 0.0
    """How long nothing is said."""
    drip_s: float = 0.0
    """How long a header is sent, a byte at a time."""
    cut: bool = False
    """Whether the connection is closed without an answer."""


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    method: str = "POST"


class Receiver(ThreadingHTTPServer):
    """Answers in the order of its replies; the last one goes on."""

    daemon_threads = True

    def __init__(self, replies: Sequence[Reply], address: str) -> None:
        super().__init__((address, 0), _Handler)
        self.replies = list(replies)
        self.requests: list[Received] = []
        self.scheme = "http"
        self.over = threading.Event()

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"{self.scheme}://{'localhost' if host == '127.0.0.1' else host}:{port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some of the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        server = self.server
        server.requests.append(Received(self.path, headers, body, time.monotonic()))
        reply = server.replies.pop(0) if len(server.replies) > 1 else server.replies[0]
        if reply.cut:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if reply.hang_s and server.over.wait(reply.hang_s):
            return
        self._drip(reply.drip_s)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def _drip(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        if seconds:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while time.monotonic() < ends and not self.server.over.wait(0.05):
            self.wfile.write(b"x")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@contextlib.contextmanager
def receiver(
    *replies: Reply, certificates: Certificates | None = None, address: str = "127.0.0.1"
) -> Iterator[Receiver]:
    server = Receiver(replies or [Reply()], address)
    if certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
