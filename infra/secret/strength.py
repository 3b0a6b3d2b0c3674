"""Tells a secret from what people leave in its place. Says what is wrong, never what the value is."""

from __future__ import annotations

__all__ = ["weakness"]

import re

LONGEST_BYTES = 65_536
DISTINCT_CHARACTERS = 4

_ANGLES = re.compile(r"<[^<>]*>")
_STAND_INS = re.compile(
    r"(?i)change[-_ ]?(me|this|it)|replace[-_ ]?(me|this)|your[-_ ](secret|password|key|token|api)|place[-_ ]?holder"
    r"|to[-_ ]?be[-_ ]?(set|done|filled)|fill[-_ ]?(me|this|in)|example[-_ ](key|token|secret|password)|x{6,}|\*{3,}",
)
_COMMON = {"password", "passw0rd", "secret", "admin", "postgres", "staging", "production", "letmein", "test", "todo"}


def weakness(value: str, *, min_length: int) -> str | None:
    """Name the first thing that is wrong with a secret, or None; lengths are in characters.

    >>> weakness("<CHANGE_ME_DB>", min_length=8)
    'a placeholder'
    """
    stripped = value.strip()
    verdicts = (
        (not value, "an empty value"),
        (not stripped, "nothing but blanks"),
        (stripped != value, "blanks or a line end around the value"),
        ("\0" in value, "a NUL character"),
        (bool(_ANGLES.fullmatch(value)) or bool(_STAND_INS.search(value)), "a placeholder"),
        (re.sub(r"[^a-z0-9]", "", value.lower()) in _COMMON, "a common word"),
        (len(value) < min_length, f"{len(value)} characters"),
        (len(value.encode(errors="surrogatepass")) > LONGEST_BYTES, f"more than {LONGEST_BYTES} bytes"),
        (min_length >= DISTINCT_CHARACTERS and len(set(value)) < DISTINCT_CHARACTERS, "the same few characters"),
    )
    return next((verdict for holds, verdict in verdicts if holds), None)
