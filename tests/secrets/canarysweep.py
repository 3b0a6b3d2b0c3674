"""Looks for canary values, in every form that tools give a text, in whatever bytes a place holds.

The search itself is `grep -F` (an Aho-Corasick automaton over all forms of all canaries), so hundreds of megabytes take
seconds, and a droplet can search its own disk: the forms go to it by standard input and stand in no file and in no
command line. What has no fixed form is undone first: gzip streams are unpacked, also where they are base64, and NUL
bytes are taken out, which turns UTF-16 into plain text. The forms:

plain · base64 and base64url at each of the three alignments · hex, upper hex · URL-quoted, every byte URL-quoted ·
JSON-escaped · shell-quoted · compose-quoted · HTML-escaped · reversed · UTF-16 · gzip · gzip in base64 · any eleven
characters in a row (slices of eight, four apart)
"""

from __future__ import annotations

__all__ = ["Hit", "Sweep", "canaries", "forms_of"]

import base64
import html
import json
import random
import re
import shlex
import string
import subprocess
import tempfile
import urllib.parse
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.commands.environment import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SLICE, STEP = 8, 4
_GZIP = b"\x1f\x8b\x08"
_GZIP_BASE64 = re.compile(rb"H4sI[A-Za-z0-9+/]{16,}")
_UNPACKED_LIMIT = 1 << 26


@dataclass(frozen=True)
class Hit:
    """One canary, found where it must not be."""

    place: str
    canary: str
    """Its name."""
    form: str


def canaries(count: int, seed: int, *, alphabet: str = "") -> dict[str, str]:
    """Make values that stand nowhere by chance; each holds what quoting would change, unless an alphabet is given."""
    chance = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    words = string.ascii_letters + string.digits

    def one(number: int) -> str:
        ends = ["".join(chance.choices(alphabet or words, k=14)) for _ in range(2)]
        middle = "" if alphabet else "".join(chance.sample("\"'$\\&<>%/+=# ", 4))
        return f"{ends[0]}{middle}{ends[1]}{number:02d}"

    return {f"CANARY_{number:03d}": one(number) for number in range(count)}


def forms_of(value: str) -> dict[bytes, str]:
    """Return the forms of one value that can be searched for as they are, each with its name."""
    raw = value.encode()
    forms: dict[bytes, str] = {
        raw: "plain",
        raw.hex().encode(): "hex",
        raw.hex().upper().encode(): "upper hex",
        urllib.parse.quote(value, safe="").encode(): "URL-quoted",
        "".join(f"%{byte:02X}" for byte in raw).encode(): "every byte URL-quoted",
        json.dumps(value)[1:-1].encode(): "JSON-escaped",
        shlex.quote(value).encode(): "shell-quoted",
        quote(value)[1:-1].encode(): "compose-quoted",
        html.escape(value).encode(): "HTML-escaped",
        value[::-1].encode(): "reversed",
    }
    for shift in range(3):
        # What comes before moves the text by whole bits: the inner part is the same whatever stands around it.
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            encoded = encode(b"\0" * shift + raw).rstrip(b"=")
            forms[encoded[(shift * 8 + 5) // 6 : -1]] = name
    for start in range(0, len(raw) - SLICE + 1, STEP):
        forms.setdefault(raw[start : start + SLICE], "slice")
    # A form that is the value itself (nothing to quote in it) keeps the simpler name.
    return {**forms, raw: "plain"}


class Sweep:
    """A set of canaries, and the search for them."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self.secrets = secrets
        self._names: dict[bytes, tuple[str, str]] = {}
        for name, value in secrets.items():
            for form, kind in forms_of(value).items():
                self._names[form] = (name, kind)
        self.bytes_seen = 0

    @property
    def patterns(self) -> bytes:
        """What `grep -F -f -` reads."""
        return b"\n".join(self._names) + b"\n"

    def look(self, place: str, content: bytes) -> list[Hit]:
        """Search some bytes, as they are, without their NULs, and unpacked."""
        self.bytes_seen += len(content)
        found = [*self._search(content, "")]
        if b"\0" in content:
            found += self._search(content.replace(b"\0", b""), "UTF-16 ")
        for unpacked, how in _unpacked(content):
            found += self._search(unpacked, how)
        return self._hits(place, found)

    def look_at_files(self, place: str, files: Iterable[Path]) -> list[Hit]:
        """Search files; one that goes away meanwhile is not there."""
        hits: list[Hit] = []
        for path in files:
            try:
                content = path.read_bytes()
            except OSError:
                continue
            hits += self.look(f"{place}: {path}", content)
        return hits

    def read_grep(self, place: str, output: bytes) -> list[Hit]:
        """Read what `grep -raoFf - PATHS` printed elsewhere: `file:match` lines."""
        hits: list[Hit] = []
        for line in output.splitlines():
            path, _, match = line.partition(b":")
            if match in self._names:
                name, kind = self._names[match]
                hits.append(Hit(f"{place}: {path.decode(errors='replace')}", name, kind))
        return _distinct(hits)

    def _search(self, content: bytes, how: str) -> Iterator[tuple[bytes, str]]:
        with tempfile.NamedTemporaryFile() as forms:
            forms.write(self.patterns)
            forms.flush()
            argv = ["grep", "-aoFf", forms.name]
            done = subprocess.run(argv, input=content, capture_output=True, check=False, env={"LC_ALL": "C"})
        assert done.returncode in (0, 1), done.stderr
        for match in set(done.stdout.splitlines()):
            yield match, how

    def _hits(self, place: str, found: Iterable[tuple[bytes, str]]) -> list[Hit]:
        known = ((self._names[match], how) for match, how in found if match in self._names)
        return _distinct([Hit(place, name, f"{how}{kind}" if how else kind) for (name, kind), how in known])


def _distinct(hits: Iterable[Hit]) -> list[Hit]:
    return list(dict.fromkeys(hits))


def _unpacked(content: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield what gzip streams in the content hold, also of those that stand there as base64."""
    for match in _GZIP_BASE64.finditer(content):
        text = match[0][: len(match[0]) // 4 * 4]
        if inner := _inflated(base64.b64decode(text)):
            yield inner, "gzip in base64 "
    start = content.find(_GZIP)
    while start >= 0:
        if inner := _inflated(content[start:]):
            yield inner, "gzip "
        start = content.find(_GZIP, start + 1)


def _inflated(content: bytes) -> bytes:
    """Unpack a gzip stream as far as it goes; nothing where it is none."""
    try:
        return zlib.decompressobj(wbits=31).decompress(content, _UNPACKED_LIMIT)
    except zlib.error:
        return b""
