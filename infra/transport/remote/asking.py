"""HTTP over a socket that is connected already, in as little as a look needs: `http.client` costs one ten milliseconds.

Version 1.0 of the protocol (RFC 1945): an answer ends with its `Content-Length`, or with the connection; nothing comes
in chunks. With `Connection: keep-alive` a server may leave the connection open for the next request.
"""

from __future__ import annotations

__all__ = ["Answer", "Conversation", "Unintelligible", "quoted", "unix_socket"]

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Self

_LONGEST_LINE, _MOST_HEADERS = 1 << 16, 200
_VERSIONS = (b"HTTP/1.0", b"HTTP/1.1")
_WITHOUT_BODY = (204, 304)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Unintelligible(OSError):  # noqa: N818 (an occurrence, told like every other end of a connection)
    """What came is no answer, or not all of one."""


class Answer:
    """One answer; the body may have been cut at the asked limit.

    `may_go_on` tells whether another request can follow on the same connection.
    """

    def __init__(self, status: int, reason: str, body: bytes, may_go_on: bool) -> None:  # noqa: FBT001 (one caller)
        self.status, self.reason, self.body, self.may_go_on = status, reason, body, may_go_on


def quoted(text: str, keep: str = "") -> str:
    """Percent-encode (RFC 3986, section 2.1) all but unreserved characters and those to `keep`.

    `urllib.parse` does the same, and costs a look two milliseconds.
    """
    octets = (chr(octet) for octet in text.encode())
    return "".join(each if each in _UNRESERVED or each in keep else f"%{ord(each):02X}" for each in octets)


def unix_socket(path: str, timeout_s: float) -> socket.socket:
    """Connect to a socket of this host; OSError where nobody listens. Every wait on it ends after `timeout_s`."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.settimeout(timeout_s)
        link.connect(path)
    except BaseException:
        link.close()
        raise
    return link


class Conversation:
    """Requests one after the other over one connection, which it closes in the end."""

    def __init__(self, link: socket.socket, host: str) -> None:
        self._link, self._host = link, host
        self._stream: BinaryIO = link.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._link.close()

    def ask(self, method: str, target: str, *, limit_bytes: int = 0, keep_alive: bool = False) -> Answer:
        """Send a request without a body and return the answer, or the first `limit_bytes` of it.

        OSError where the connection fails or stays silent too long, Unintelligible where no whole answer comes.
        """
        lines = [f"{method} {target} HTTP/1.0", f"Host: {self._host}"]
        lines += ["Content-Length: 0"] if method != "GET" else []
        lines += ["Connection: keep-alive"] if keep_alive else []
        self._link.sendall("\r\n".join([*lines, "", ""]).encode())
        status, reason = self._status()
        headers = self._headers()
        if "transfer-encoding" in headers:
            raise Unintelligible(f"{target}: an answer in pieces, which nobody asked for")
        length = "0" if status in _WITHOUT_BODY else headers.get("content-length", "")
        body, is_whole = self._body(int(length) if length.isdigit() else -1, limit_bytes)
        return Answer(status, reason, body, is_whole and headers.get("connection", "").lower() == "keep-alive")

    def _line(self) -> bytes:
        line = self._stream.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise Unintelligible("the answer ended within its head" if line else "the connection was closed")
        return line.rstrip(b"\r\n")

    def _status(self) -> tuple[int, str]:
        line = self._line()
        version, _, rest = line.partition(b" ")
        status, _, reason = rest.partition(b" ")
        if version not in _VERSIONS or not (len(status) == 3 and status.isdigit()):  # noqa: PLR2004 (digits of a status)
            raise Unintelligible(f"no answer in HTTP: {line[:60]!r}")
        return int(status), reason.decode("latin-1")

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for _ in range(_MOST_HEADERS):
            line = self._line()
            if not line:
                return headers
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        raise Unintelligible(f"more than {_MOST_HEADERS} headers")

    def _body(self, length: int, limit_bytes: int) -> tuple[bytes, bool]:
        """Return the body, and whether the answer has been read to its end, told by its length."""
        wanted = min(length, limit_bytes or length) if length >= 0 else limit_bytes or -1
        body = self._stream.read(wanted)
        if length >= 0 and len(body) < wanted:
            raise Unintelligible(f"the answer broke off after {len(body)} of {length} bytes")
        return body, len(body) == length
