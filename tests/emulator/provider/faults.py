"""A link to the cloud that fails on demand: between the provider and the API, for the requests that a test names."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

Way = Literal["refuse", "lose", "cut", "slow"]
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Fault:
    """What happens to the next requests of a kind."""

    method: str
    """A pattern, as the path is one."""
    path: str
    way: Way
    """refuse: answered with `status`; lose: carried out, answer lost; cut: lost before it was carried out."""
    times: float = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    token: str = ""
    """Whose requests alone, by the token that they carry; everybody's where it is empty."""


class Link:
    """The faults that wait, and the requests that went by."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self._lock = threading.Lock()

    def break_next(self, method: str, path: str, way: Way, **more: Any) -> None:
        self.faults.append(Fault(method, path, way, **more))

    def seen(self, method: str, path: str) -> int:
        return sum(1 for each in self.requests if re.fullmatch(f"{method} {path}", each))

    def take(self, method: str, path: str, token: str) -> Fault | None:
        with self._lock:
            self.requests.append(f"{method} {path}")
            for fault in self.faults:
                is_meant = re.fullmatch(fault.method, method) and re.fullmatch(fault.path, path)
                if fault.times and is_meant and fault.token in ("", token):
                    fault.times -= 1
                    return fault
        return None


def _handler(link: Link) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            fault = link.take(self.command, self.path.split("?")[0], token)
            if fault and fault.way == "slow":
                time.sleep(fault.seconds)
            if fault and fault.way == "refuse":
                self.reply(fault.status, fault.headers, json.dumps({"id": "injected", "message": "made up"}).encode())
            elif fault and fault.way == "cut":
                self.close_connection = True
            else:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP | {"host"}}
                reply = httpx.request(self.command, link.target + self.path, content=body, headers=headers, timeout=60)
                if fault and fault.way == "lose":
                    self.close_connection = True
                else:
                    self.reply(reply.status_code, dict(reply.headers), reply.content)

        def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
            del format, args

    return Handler


@contextmanager
def open_link(target: str) -> Iterator[Link]:
    link = Link(target)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(link))
    server.daemon_threads = True
    link.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield link
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
