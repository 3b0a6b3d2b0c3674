"""A question to a PostgreSQL in a container, over its own socket: nothing is started for it, least of all in there.

`docker exec` with `psql` costs a host a tenth of a second. The server's socket is a file of the container, which root
reaches by way of its first process; the protocol for one plain query is a page (PostgreSQL's documentation, chapter
"Frontend/Backend Protocol", version 3.0). Only what the server gives without a password is asked, as the official
image does on its socket; whoever asks falls back on `psql` where it does not.
"""

from __future__ import annotations

__all__ = ["Unanswered", "literal", "query"]

import os
import socket
import stat
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_DIRECTORY, _SOCKET = "var/run/postgresql", ".s.PGSQL.5432"
_PROTOCOL = 3 << 16
_TIMEOUT_S = 5.0
_MOST_LINKS = 8
_LARGEST_BYTES = 1 << 20


class Unanswered(Exception):  # noqa: N818 (an occurrence: the same is then asked by other means)
    """The server did not answer: no socket, a password wanted, an error."""


def query(pid: int, user: str, database: str, statement: str) -> list[list[str]]:
    """Return the rows of one statement, as text; NULL is empty. `pid` is the container's first process. Unanswered."""
    try:
        with _connect(f"/proc/{pid}/root") as link, link.makefile("rb") as stream:
            words = b"\0".join(each.encode() for each in ("user", user, "database", database, ""))
            link.sendall(_framed(b"", struct.pack("!i", _PROTOCOL) + words + b"\0"))
            for kind, body in _messages(stream):
                if kind == b"R" and body != bytes(4):
                    raise Unanswered("the server wants a password")
            link.sendall(_framed(b"Q", statement.encode() + b"\0"))
            return [_row(body) for kind, body in _messages(stream) if kind == b"D"]
    except (OSError, ValueError, struct.error) as error:
        raise Unanswered(f"{type(error).__name__}: {error}") from error


def literal(text: str) -> str:
    """Quote a text for a statement; ValueError for one that could mean more than itself."""
    if "\\" in text or "\0" in text:
        raise ValueError("a backslash or a null in a name")
    return "'" + text.replace("'", "''") + "'"


def _connect(root: str) -> socket.socket:
    handle = _socket_of(root)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.settimeout(_TIMEOUT_S)
        link.connect(f"/proc/self/fd/{handle}")
    except BaseException:
        link.close()
        raise
    finally:
        os.close(handle)
    return link


def _socket_of(root: str) -> int:
    """Open the server's socket as a handle: it can't be exchanged for a link to another one any more."""
    directory = _inside(root, _DIRECTORY)
    try:
        handle = os.open(_SOCKET, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    finally:
        os.close(directory)
    if not stat.S_ISSOCK(os.fstat(handle).st_mode):
        os.close(handle)
        raise Unanswered("no socket")
    return handle


def _inside(root: str, path: str) -> int:
    """Open a directory below a container's root; its links are followed as the container would, never out of it."""
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    opened = [os.open(root, os.O_PATH | os.O_CLOEXEC)]
    left, links = path.split("/"), 0
    try:
        while left:
            name = left.pop(0)
            if name == "..":
                _close(opened, down_to=max(1, len(opened) - 1))
            elif name not in ("", "."):
                opened.append(os.open(name, flags, dir_fd=opened[-1]))
            if not stat.S_ISLNK(os.fstat(opened[-1]).st_mode) or len(opened) == 1:
                continue
            links += 1
            target = os.readlink("", dir_fd=opened[-1])
            if links > _MOST_LINKS:
                raise Unanswered("too many links")
            _close(opened, down_to=1 if target.startswith("/") else len(opened) - 1)
            left = [*target.split("/"), *left]
        return os.dup(opened[-1])
    finally:
        _close(opened, down_to=0)


def _close(opened: list[int], *, down_to: int) -> None:
    while len(opened) > down_to:
        os.close(opened.pop())


def _framed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _messages(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, body) of what the server says until it is ready for the next statement; an error is no answer."""
    while True:
        head = stream.read(5)
        if len(head) < 5:  # noqa: PLR2004 (a letter, and four bytes of length)
            raise Unanswered("the server hung up")
        kind, size = head[:1], struct.unpack("!i", head[1:])[0] - 4
        if not 0 <= size <= _LARGEST_BYTES:
            raise Unanswered("an answer of no sense")
        body = stream.read(size)
        if kind == b"E":
            raise Unanswered("the server refuses")
        if kind == b"Z":
            return
        yield kind, body


def _row(body: bytes) -> list[str]:
    """Return the columns of a DataRow message."""
    columns: list[str] = []
    at = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        columns.append(body[at : at + max(0, size)].decode())
        at += max(0, size)
    return columns
