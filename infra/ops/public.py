"""Requests to the stack's public name at its public address, with the certificate verified.

The name need not resolve: the connection goes to the address that the stack put out, while TLS asks for and verifies
the name, against the stack's own CA where it has one and the system's otherwise. The standard library does that in
a few lines over one kept connection, so no client library is drawn in.
"""

from __future__ import annotations

__all__ = ["Answer", "PublicClient"]

import http.client
import json
import socket
import ssl
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 30.0
HTTPS = 443


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        """Parse the body; ValueError when it is no JSON."""
        return json.loads(self.body)

    def excerpt(self, limit: int = 300) -> str:
        """Give the beginning of the body, for a failure's text."""
        return self.body[:limit].decode(errors="replace")


class _PinnedConnection(http.client.HTTPSConnection):
    """Connects to a given address, whatever the name resolves to."""

    def __init__(self, name: str, address: str, context: ssl.SSLContext, timeout_s: float) -> None:
        super().__init__(name, timeout=timeout_s, context=context)
        self._address, self._tls = address, context

    def connect(self) -> None:
        """Open the socket to the address and verify the name."""
        plain = socket.create_connection((self._address, self.port), timeout=self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


class PublicClient:
    """One connection to one stack."""

    def __init__(self, name: str, address: str, ca_certificate: str = "", *, timeout_s: float = TIMEOUT_S) -> None:
        context = ssl.create_default_context(cadata=ca_certificate or None)
        self._connection = _PinnedConnection(name, address, context, timeout_s)

    def request(
        self, method: str, path: str, *, query: dict[str, Any] | None = None, body: Any = None, token: str = ""
    ) -> Answer:
        """Send one request; a kept connection that the server has closed is opened once more for it."""
        target = urllib.parse.quote(path, safe="/%:@?&=+,;~-._")
        if query:
            target += "?" + urllib.parse.urlencode(query, doseq=True)
        headers = {"Accept": "application/json, */*"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            return self._send(method, target, payload, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self._connection.close()
            return self._send(method, target, payload, headers)

    def _send(self, method: str, target: str, payload: bytes | None, headers: dict[str, str]) -> Answer:
        began = time.monotonic()
        self._connection.request(method, target, payload, headers)
        response = self._connection.getresponse()
        content = response.read()
        return Answer(response.status, dict(response.getheaders()), content, time.monotonic() - began)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
