"""How systemd's units are, asked over systemd's own socket: starting `systemctl` costs a host ten times as much.

The socket is the one that `systemctl` itself takes where it runs as root; what is spoken there is D-Bus (D-Bus
Specification, "Authentication Protocol" and "Message Protocol"), and all that is asked is `Get`, property by property.
Whatever comes but the answers to that, `systemctl` is asked instead: it has the word, and says what is wrong.
"""

from __future__ import annotations

__all__ = ["units_fact"]

import os
import struct
import time

from infra.transport.remote.asking import unix_socket
from infra.transport.remote.processes import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

SOCKET = "/run/systemd/private"
_TIMEOUT_S = 5.0
_SINCE = "StateChangeTimestamp"
_STATES = {"load": "LoadState", "active": "ActiveState", "enabled": "UnitFileState"}
_ASKED = (*_STATES.values(), _SINCE)
_RETURN, _ERROR = 2, 3
"""Types of messages; calls and signals are nobody's answer."""
_REPLY_SERIAL = 5
_HEAD_BYTES, _MOST_BYTES = 16, 1 << 16
_CALL = b"l\x01\0\x01"
"""Little-endian, a call, no flags, version 1."""
_TAKES_TWO_STRINGS = b"\x08\x01g\0\x02ss\0"


class _Untold(Exception):  # noqa: N818 (an occurrence: the same is then asked by other means)
    """systemd did not answer, or not in the way that is understood here."""


def units_fact(probe: dict[str, Any]) -> dict[str, dict[str, str | None]]:
    """Return load, active and enabled state of each named unit, and since when (RFC 3339) it is as active as it is."""
    names: list[str] = probe["names"]
    try:
        return _asked(names)
    except _Untold:
        return _shown(names)


def _asked(names: list[str]) -> dict[str, dict[str, str | None]]:
    """Ask systemd for everything in one go. _Untold where any of it is missing, as for a name that is no unit's."""
    questions = dict(enumerate(((name, each) for name in names for each in _ASKED), 1))
    login = f"\0AUTH EXTERNAL {str(os.geteuid()).encode().hex()}\r\nBEGIN\r\n".encode()
    found: dict[tuple[str, str], str | int] = {}
    try:
        with unix_socket(SOCKET, _TIMEOUT_S) as link, link.makefile("rb") as stream:
            link.sendall(login + b"".join(_call(serial, *question) for serial, question in questions.items()))
            if not stream.readline(_MOST_BYTES).startswith(b"OK "):
                raise _Untold("the login was refused")
            while len(found) < len(questions):
                serial, value = _answer(stream)
                name, each = questions[serial]
                if isinstance(value, int) != (each == _SINCE):
                    raise _Untold(f"{each} of another type")
                found[name, each] = value
        return {name: _told(name, found) for name in names}
    except (OSError, ValueError, LookupError, struct.error) as error:
        raise _Untold(f"{type(error).__name__}: {error}") from error


def _told(name: str, found: dict[tuple[str, str], str | int]) -> dict[str, str | None]:
    states = {key: str(found[name, each]) for key, each in _STATES.items()}
    return {**states, "since": _instant(int(found[name, _SINCE]))}


def _call(serial: int, unit: str, wanted: str) -> bytes:
    """Return a call of a unit's `Get`."""
    escaped = "".join(each if each.isascii() and each.isalnum() else f"_{ord(each):02x}" for each in unit)
    fields = b""
    for code, kind, text in (
        (1, b"o", f"/org/freedesktop/systemd1/unit/{escaped}"),
        (2, b"s", "org.freedesktop.DBus.Properties"),
        (3, b"s", "Get"),
        (6, b"s", "org.freedesktop.systemd1"),
    ):
        fields = _padded(fields, 8) + struct.pack("<BB", code, 1) + kind + b"\0" + _string(text)
    fields = _padded(fields, 8) + _TAKES_TWO_STRINGS
    body = _padded(_string("org.freedesktop.systemd1.Unit"), 4) + _string(wanted)
    return _padded(_CALL + struct.pack("<III", len(body), serial, len(fields)) + fields, 8) + body


def _string(text: str) -> bytes:
    octets = text.encode()
    return struct.pack("<I", len(octets)) + octets + b"\0"


def _padded(octets: bytes, to: int) -> bytes:
    return octets + bytes(-len(octets) % to)


def _answer(stream: BinaryIO) -> tuple[int, str | int]:
    """Return the next answer: the call that it is to, and the value. _Untold for an error."""
    while True:
        head = _exactly(stream, _HEAD_BYTES)
        if head[:1] != _CALL[:1]:
            raise _Untold("big-endian, or no D-Bus")
        size, _, fields_size = struct.unpack_from("<III", head, 4)
        fields = _exactly(stream, fields_size + -fields_size % 8)[:fields_size]
        body = _exactly(stream, size)
        if head[1] == _ERROR:
            raise _Untold(body.decode(errors="replace"))
        if head[1] == _RETURN:
            return _serial(fields), _value(body)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    octets = stream.read(size) if size <= _MOST_BYTES else b""
    if len(octets) < size:
        raise _Untold("the answer broke off, or was no answer")
    return octets


def _serial(fields: bytes) -> int:
    """Find the field that names the call. Each is a code, the signature of one value and, aligned to it, the value."""
    at = 0
    while at < len(fields):
        code, kind = fields[at], fields[at + 2 : at + 3]
        if kind == b"u" and code == _REPLY_SERIAL:
            return int(struct.unpack_from("<I", fields, at + 4)[0])
        if kind == b"g":
            at += 4 + fields[at + 4] + 2
        elif kind == b"u":
            at += 8
        else:
            at += 8 + struct.unpack_from("<I", fields, at + 4)[0] + 1
        at += -at % 8
    raise _Untold("an answer to nothing")


def _value(body: bytes) -> str | int:
    """Return a variant's value: a string or a number of 64 bits."""
    if body[:3] == b"\x01s\0":
        size = struct.unpack_from("<I", body, 4)[0]
        return body[8 : 8 + size].decode()
    if body[:3] == b"\x01t\0":
        return int(struct.unpack_from("<Q", body, 8)[0])
    raise _Untold("a value of another type")


def _instant(microseconds: int) -> str | None:
    """Return a time since 1970 as RFC 3339; None for the 0 of a unit that never changed."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(microseconds // 1_000_000)) if microseconds else None


def _shown(names: list[str]) -> dict[str, dict[str, str | None]]:
    """Ask `systemctl`."""
    finished = run(["systemctl", "show", f"--property=Id,{','.join(_ASKED)}", *names])
    facts: dict[str, dict[str, str | None]] = {}
    for name, block in zip(names, finished.stdout.strip().split("\n\n"), strict=False):
        values: dict[str, str] = {}
        for line in block.splitlines():
            key, _, value = line.partition("=")
            values[key] = value
        states = {key: values.get(each, "") for key, each in _STATES.items()}
        facts[name] = {**states, "since": _written(values.get(_SINCE, ""))}
    return facts


def _written(text: str) -> str | None:
    """Return systemd's timestamp (`Tue 2026-11-24 15:30:06 UTC`) as RFC 3339; None for one of another zone."""
    words = text.split()
    is_utc = len(words) == 4 and words[3] == "UTC"  # noqa: PLR2004 (weekday, date, time, zone)
    return f"{words[1]}T{words[2]}Z" if is_utc else None
