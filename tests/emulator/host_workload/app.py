"""A stand-in for a workload: serves health, readiness and its environment, and keeps a schema revision in a file."""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

STATE = Path("/state/revision")
HEAD = "0001"


def is_ready() -> bool:
    """Tell whether the schema is at the head."""
    return STATE.exists() and STATE.read_text() == HEAD


class Handler(BaseHTTPRequestHandler):
    """Answers /health always, /ready when the schema is there, /environment with what the container got."""

    def do_GET(self) -> None:
        """Answer one request."""
        body = json.dumps(dict(os.environ)).encode() if self.path == "/environment" else b"{}"
        good = self.path in ("/health", "/environment") or (self.path == "/ready" and is_ready())
        self.send_response(200 if good else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(verb: str) -> None:
    """Run one of the verbs: serve, probe, upgrade, current."""
    if verb == "serve":
        if os.environ.get("CRASH") == "true":
            sys.exit(f"cannot start with {os.environ['TOKEN']}")
        ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()  # noqa: S104 (all of the container)
    elif verb == "probe":
        urlopen("http://127.0.0.1:8000/health", timeout=2).close()
    elif verb == "upgrade" and not is_ready():
        sys.stderr.write(f"INFO  [alembic.runtime.migration] Running upgrade  -> {HEAD}, first\n")
        STATE.write_text(HEAD)
    elif verb == "current":
        sys.stdout.write(f"{STATE.read_text()} (head)\n" if STATE.exists() else "")


main(sys.argv[1])
