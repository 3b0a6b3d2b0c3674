"""The servers that sources of secrets are asked against: real ones, each behind a counter."""

from __future__ import annotations

__all__ = ["ROOT_TOKEN", "Counting", "authority", "reader_token", "serving"]

import contextlib
import ipaddress
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import hvac

ROOT_TOKEN = "root-token-of-the-test"


class Counting(ThreadingHTTPServer):
    """Passes requests on to another server and counts them, or answers with a status and body of its own.

    With a certificate and its key, in one file, it speaks TLS.
    """

    def __init__(
        self, upstream: str = "", answer: tuple[int, dict[str, Any]] | None = None, certificate: Path | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.answer = upstream, answer
        self.seen: list[str] = []
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"


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


def authority(directory: Path) -> tuple[Path, Path]:
    """Make an authority of one's own that vouches for 127.0.0.1: its certificate, and that with the key behind it."""
    from cryptography import x509  # noqa: PLC0415 (one test needs it)
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority of one's own")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    alone, both = directory / "authority.pem", directory / "server.pem"
    alone.write_bytes(certificate)
    both.write_bytes(private + certificate)
    return alone, both


def reader_token(client: hvac.Client, **options: Any) -> str:
    return str(client.auth.token.create(policies=["reader"], **options)["auth"]["client_token"])
