"""A text may name other values as `{{ NAME }}`, or `{{ NAME | url }}`; it holds nothing else of a template language.

Substitution is literal and happens once: a value that comes out is never looked at again, so no secret can smuggle in
a template. The one filter percent-encodes a value as a part of a URL may hold it: all but letters, digits and `-._~`
as %XX (RFC 3986, 2.1).
"""

from __future__ import annotations

__all__ = ["REFERENCE", "names_in", "substitute", "substitute_within"]

import re
import urllib.parse
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

REFERENCE = re.compile(r"\{\{ *([A-Z][A-Z0-9_]*) *(\| *url *)?\}\}")
"""The name is the first group; the second is there where the value is to be percent-encoded."""


def names_in(text: str) -> list[str]:
    """Name what a text refers to."""
    return [match[1] for match in REFERENCE.finditer(text)]


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Put values in place of their names; other names stay for whoever knows them."""

    def replaced(match: re.Match[str]) -> str:
        value = values.get(match[1])
        return match[0] if value is None else urllib.parse.quote(value, safe="") if match[2] else value

    return REFERENCE.sub(replaced, text)


def substitute_within(value: Any, values: Mapping[str, str]) -> Any:
    """Substitute in every text of a typed value, before it becomes JSON: what is put in is then escaped as JSON is."""
    if isinstance(value, str):
        return substitute(value, values)
    if isinstance(value, (list, tuple)):
        return [substitute_within(each, values) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: substitute_within(each, values) for name, each in cast("dict[str, Any]", value).items()}
    return value
