"""The worker's side of the conversation: one JSON line an event, and no secret in any of them."""

from __future__ import annotations

__all__ = ["ActFailure", "Redactor", "Reporter", "fragments", "parse_env", "speak"]

import json
import os
import re
import sys
import threading

from infra.transport.remote.asking import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MASK = "[secret]"
_SHORTEST = 6
_LONGEST_PASSWORD = 256
_LONG = 16
"""Words of so many characters together are nobody's everyday text."""
_DISTINCT = 4
# Compiled by whoever has a text for them (`re` keeps what it compiled): a look mostly has none.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
_SEPARATOR = r"[@:/#?%]"
_WORD = "(?:[A-Z]?[a-z]+|[A-Z]+|[0-9]+)"
_WORDS = rf"[@:/#?%._-]*{_WORD}(?:[@:/#?%._-]+{_WORD})*[@:/#?%._-]*"
_lock = threading.Lock()


class ActFailure(Exception):  # noqa: N818 (an outcome on the wire; the controller raises the error)
    """An act that did not succeed: a stable code, what ran, and the tail of what it printed."""

    def __init__(self, code: str, command: str, exit_status: int | None, evidence: str, hint: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.command = command
        self.exit_status = exit_status
        self.evidence = evidence
        self.hint = hint


class Redactor:
    """Masks values that must not leave the host, also quoted for a URL or for JSON, and their telling fragments."""

    def __init__(self, values: list[str]) -> None:
        forms: set[str] = set()
        for value in values:
            for part in {value, *fragments(value)} if len(value) >= _SHORTEST else ():
                escaped = {json.dumps(part, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
                forms |= {part, quoted(part), *escaped}
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    @classmethod
    def of_env_file(cls, path: str, names: list[str]) -> Redactor:
        """Read the named variables of an env file as this host has them; a missing file has nothing to hide."""
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123 (pathlib costs start-up time)
                text = stream.read()
        except OSError:
            return cls([])
        wanted = set(names)
        return cls([value for name, value in parse_env(text) if name in wanted])

    def clean(self, text: str) -> str:
        """Return the text with every known value masked."""
        return self._pattern.sub(_MASK, text) if self._pattern else text


def fragments(value: str) -> set[str]:
    """Return the parts of a secret that a reader of URLs takes for a host, a port or a path, and prints alone.

    Such a reader stops at `@`, `:`, `/`, `#`, `?` or `%`, which a password may hold. Of a secret that is a URL itself
    only the password and the path are looked at. Parts that may be ordinary words, numbers or names are left out:
    masking those would shred the text.
    """
    if len(value) > _LONGEST_PASSWORD or "\n" in value:
        return set()
    found: set[str] = set()
    sources = [value]
    if match := re.match(_SCHEME, value):
        user, _, place = value[match.end() :].rpartition("@")
        sources = [user.partition(":")[2] or user, "/".join(["", *place.split("/")[1:]])]
        found |= set(sources)
    for source in sources:
        at = [match.start() for match in re.finditer(_SEPARATOR, source)]
        found |= (
            {source[:end] for end in at} | {source[start + 1 :] for start in at} | set(re.split(_SEPARATOR, source))
        )
    return {part for part in found - {value} if _is_telling(part)}


def _is_telling(part: str) -> bool:
    """Tell whether a part of a secret is hardly anything else: long, or no mere words and numbers."""
    if len(part) < _SHORTEST or len(set(part)) < _DISTINCT:
        return False
    return len(part) >= _LONG or not re.fullmatch(_WORDS, part)


def parse_env(text: str) -> list[tuple[str, str]]:
    """Read `NAME="value"` lines as they are written here: double quotes, and backslashes before the rest."""
    pairs: list[tuple[str, str]] = []
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if not equals or name.lstrip().startswith("#"):
            continue
        if value[:1] == value[-1:] == '"' and len(value) > 1:
            value = re.sub(r"\\(.)", lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[1]), value[1:-1])
        elif value[:1] == value[-1:] == "'" and len(value) > 1:
            value = value[1:-1]
        pairs.append((name.strip(), value))
    return pairs


class Reporter:
    """Tells the events of one request to whoever keeps or sends them; no secret is in any of them."""

    def __init__(self, send: Callable[[dict[str, Any]], None], redactor: Redactor) -> None:
        self._send = send
        self.redactor = redactor

    def say(self, text: str) -> None:
        """Report progress: what runs now."""
        self._send({"event": "say", "text": self.redactor.clean(text)})

    def done(self, result: dict[str, Any]) -> None:
        """End the request with its facts."""
        self._send({"event": "done", "result": result})

    def failed(self, failure: ActFailure) -> None:
        """End the request with what went wrong."""
        self._send(
            {
                "event": "failed",
                "code": failure.code,
                "command": self.redactor.clean(failure.command),
                "exit_status": failure.exit_status,
                "evidence": self.redactor.clean(failure.evidence)[-4000:],
                "hint": failure.hint,
            }
        )


def speak(event: dict[str, Any]) -> None:
    """Send one event over the link, as a line of its own."""
    line = json.dumps(event) + "\n"
    with _lock:
        try:
            sys.stdout.write(line)
            sys.stdout.flush()
        except OSError:
            # The link is gone, and with it this conversation; jobs go on, and their records tell of them.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
