"""Tells a secret from what people leave in its place. Says what is wrong, never what the value is."""

from __future__ import annotations

__all__ = ["weakness"]

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.secret.rules import Rule

LONGEST_BYTES = 65_536
DISTINCT_CHARACTERS = 4

_ALPHABETS = {
    "any": re.compile(r"[^\0]*", re.DOTALL),
    "printable": re.compile(r"[\x20-\x7e]*"),
    "url-safe": re.compile(r"[A-Za-z0-9._~-]*"),
    "hex": re.compile(r"[0-9A-Fa-f]*"),
    "base64": re.compile(r"[A-Za-z0-9+/_-]*={0,2}"),
}
_ANGLES = re.compile(r"<[^<>]*>")
_STAND_INS = re.compile(
    r"(?i)change[-_ ]?(me|this|it)|replace[-_ ]?(me|this)|your[-_ ](secret|password|key|token|api)|place[-_ ]?holder"
    r"|to[-_ ]?be[-_ ]?(set|done|filled)|fill[-_ ]?(me|this|in)|example[-_ ](key|token|secret|password)|x{6,}|\*{3,}",
)
_COMMON = {"password", "passw0rd", "secret", "admin", "postgres", "staging", "production", "letmein", "test", "todo"}


def weakness(value: str, rule: Rule) -> str | None:
    """Name the first thing that is wrong with a secret, or None; lengths are in characters.

    >>> weakness("<CHANGE_ME_DB>", Rule())
    'a placeholder'
    """
    return next(_weaknesses(value, rule), None)


def _weaknesses(value: str, rule: Rule) -> Iterator[str]:
    """Yield everything that is wrong, the most telling first."""
    stripped = value.strip()
    verdicts = (
        (not value, "an empty value"),
        (not stripped, "nothing but blanks"),
        (stripped != value, "blanks or a line end around the value"),
        ("\0" in value, "a NUL character"),
        (bool(_ANGLES.fullmatch(value)) or bool(_STAND_INS.search(value)), "a placeholder"),
        (re.sub(r"[^a-z0-9]", "", value.lower()) in _COMMON, "a common word"),
        (len(value) < rule.min_length, f"{len(value)} characters"),
        (len(value.encode(errors="surrogatepass")) > LONGEST_BYTES, f"more than {LONGEST_BYTES} bytes"),
        (any(0xD800 <= ord(each) < 0xE000 for each in value), "a lone surrogate, which is no text"),  # noqa: PLR2004
        (rule.min_length >= DISTINCT_CHARACTERS and len(set(value)) < DISTINCT_CHARACTERS, "the same few characters"),
        (not _ALPHABETS[rule.alphabet].fullmatch(value), f"characters that are not {rule.alphabet}"),
        (bool(rule.pattern) and not re.fullmatch(rule.pattern, value), f"a value that is not like {rule.pattern}"),
        (
            bool(rule.url) and not _ALPHABETS["url-safe"].fullmatch(value),
            f"characters that the URL {rule.url} would take for its own: write {{{{ NAME | url }}}} there, or another",
        ),
        (
            rule.is_database_password and not _ALPHABETS["printable"].fullmatch(value),
            "characters that PostgreSQL would normalise in a password",
        ),
    )
    return (verdict for holds, verdict in verdicts if holds)
