"""A gate before the cloud's API that knows one token no longer; what else is asked it hands on, and the answer back.

The local cloud takes any token. Whoever finds the cloud at this desk is led here while a case runs, so that one token
is refused as the real API refuses one that was revoked, and every other opens the cloud as before.
"""

from __future__ import annotations

__all__ = ["shut"]

import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REFUSAL = b'{"id": "unauthorized", "message": "Unable to authenticate you"}'
BETWEEN = {"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding"}
"""Headers of one connection alone, which are not handed on."""


def shut(record: Path, token: str) -> Callable[[], None]:
    """Put a gate that refuses `token` before the cloud that the record tells of; return what takes it away again."""
    told = record.read_text(encoding="utf-8")
    known = json.loads(told)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(known["http"], token))
    threading.Thread(target=server.serve_forever, name="gate", daemon=True).start()
    record.write_text(json.dumps({**known, "http": f"http://127.0.0.1:{server.server_port}"}), encoding="utf-8")

    def open_again() -> None:
        record.write_text(told, encoding="utf-8")
        server.shutdown()
        server.server_close()

    return open_again


def _handler(cloud: str, token: str) -> type[BaseHTTPRequestHandler]:
    class Gate(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization", "").removeprefix("Bearer ") == token:
                self._answer(401, {"Content-Type": "application/json"}, REFUSAL)
                return
            kept = {name: value for name, value in self.headers.items() if name.lower() not in BETWEEN}
            request = urllib.request.Request(  # noqa: S310 (the cloud on loopback)
                cloud + self.path, method=self.command, data=content or None, headers=kept
            )
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (as above)
                    self._answer(answer.status, dict(answer.headers), answer.read())
            except urllib.error.HTTPError as error:
                self._answer(error.code, dict(error.headers), error.read())

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in BETWEEN:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as the class has it)
            """Say nothing: whoever asks has the answer."""

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 (as the class has them)

    return Gate
