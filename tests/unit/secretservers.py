"""The servers that sources of secrets are asked against: real ones, each behind a counter."""

from __future__ import annotations

__all__ = ["ROOT_TOKEN", "Counting", "reader_token", "serving"]

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    import hvac

ROOT_TOKEN = "root-token-of-the-test"


class Counting(ThreadingHTTPServer):
    """Passes requests on to another server and counts them, or answers with a status and body of its own."""

    def __init__(self, upstream: str = "", answer: tuple[int, dict[str, str]] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.answer = upstream, answer
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Counting

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(self.headers.get("X-Amz-Target", self.path))
        if self.server.answer:
            status, content = self.server.answer[0], json.dumps(self.server.answer[1]).encode()
        else:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            passed = requests.request(
                self.command, self.server.upstream + self.path, data=body, headers=headers, timeout=10
            )
            status, content = passed.status_code, passed.content
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_GET  # noqa: N815 (the base class looks for these names)

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


@contextlib.contextmanager
def serving(server: Counting) -> Iterator[Counting]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def reader_token(client: hvac.Client, **options: Any) -> str:
    return str(client.auth.token.create(policies=["reader"], **options)["auth"]["client_token"])
