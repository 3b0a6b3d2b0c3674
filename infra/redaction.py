"""Masks known secret values in everything that leaves the process: the last line of defence, at the sink.

Nothing upstream is meant to let a secret into a text. Tools on a host do it all the same (alembic prints the whole
database URL), so every line is masked once more before it is printed, logged or written.
"""

from __future__ import annotations

__all__ = ["MASK", "PROCESS", "Redactor"]

import base64
import json
import urllib.parse
from typing import TYPE_CHECKING, Any, cast

from infra.transport.remote.report import fragments

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "[secret]"
SHORTEST = 8
"""Shorter values, and words that people write, would shred the text and protect nothing."""


class Redactor:
    """Knows values and masks them, also where they are URL-, JSON- or base64-encoded, and their telling fragments."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._ordered: list[str] = []
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Learn more values; those too short to be secrets are left alone."""
        for value in values:
            whole = [part for part in (value, *value.splitlines()) if len(part) >= SHORTEST]
            for part in (*whole, *(fragments(value) if whole else ())):
                if not part.startswith("-----"):
                    self._forms |= _forms(part)
        self._ordered = sorted(self._forms, key=len, reverse=True)

    def mask(self, text: str) -> str:
        """Return the text with every known value replaced."""
        for form in self._ordered:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def mask_all(self, value: Any) -> Any:
        """Return plain JSON values with every text masked, names included; numbers can't hide a secret's characters."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, list):
            return [self.mask_all(each) for each in cast("list[Any]", value)]
        if isinstance(value, dict):
            return {self.mask(key): self.mask_all(each) for key, each in cast("dict[str, Any]", value).items()}
        if isinstance(value, int) and not isinstance(value, bool) and self.mask(str(value)) != str(value):
            return self.mask(str(value))
        return value


PROCESS = Redactor()
"""What this process has learned; every sink of the command line uses it."""


def _forms(value: str) -> set[str]:
    """Give a value as tools print it."""
    raw = value.encode(errors="surrogatepass")
    encoded = base64.b64encode(raw).decode()
    return {
        value,
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote_plus(value, safe=""),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        value.replace("$", "$$"),
        value.replace("'", "'\\''"),
        encoded,
        encoded.rstrip("="),
        raw.hex(),
    }
