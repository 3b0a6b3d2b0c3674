"""The bench's application: three URLs, and a schema whose revision stands in the database beside it.

It speaks as much of PostgreSQL's protocol as one statement without an answer needs, so that its image builds in a
second; the database trusts its own socket, which the two containers share.
"""

from __future__ import annotations

import socket
import struct
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HEAD = "0001"
SOCKET = "/socket/.s.PGSQL.5432"
MIGRATION = (
    "CREATE TABLE IF NOT EXISTS alembic_version (version_num varchar(32) PRIMARY KEY); "
    "INSERT INTO alembic_version VALUES ('0001') ON CONFLICT DO NOTHING"
)
CURRENT = "SELECT version_num FROM alembic_version"


def ask(statement: str) -> list[str]:
    """Run one statement and return its first column."""
    rows: list[str] = []
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(SOCKET)
        words = b"user\0hello\0database\0hello\0\0"
        link.sendall(struct.pack("!ii", len(words) + 8, 3 << 16) + words)
        with link.makefile("rb") as stream:
            for text in ("", statement):
                if text:
                    link.sendall(b"Q" + struct.pack("!i", len(text) + 5) + text.encode() + b"\0")
                while (head := stream.read(5))[:1] != b"Z":
                    body = stream.read(struct.unpack("!i", head[1:])[0] - 4)
                    if head[:1] == b"E":
                        sys.exit(body.decode(errors="replace"))
                    if head[:1] == b"D":
                        rows.append(body[6:].decode())
                stream.read(struct.unpack("!i", head[1:])[0] - 4)
    return rows


class Handler(BaseHTTPRequestHandler):
    """Answers /health and /environment always, /ready when the schema is there."""

    def do_GET(self) -> None:
        """Answer one request."""
        good = self.path in ("/health", "/environment") or (self.path == "/ready" and ask(CURRENT) == [HEAD])
        self.send_response(200 if good else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main(verb: str) -> None:
    """Run one of the verbs: serve, upgrade, current."""
    if verb == "serve":
        ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()  # noqa: S104 (all of the container)
    elif verb == "upgrade":
        sys.stderr.write(f"INFO  [alembic.runtime.migration] Running upgrade  -> {HEAD}, first\n")
        ask(MIGRATION)
    elif verb == "current":
        sys.stdout.write("".join(f"{each} (head)\n" for each in ask(CURRENT)))


main(sys.argv[1])
