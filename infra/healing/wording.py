"""A cause's sentences with the match's subject and details filled in, and text made safe to look at.

Names are filled in by a plain lookup: a value is put where its name stands and is never looked into or filled in
again, so that what a log says can't become part of a sentence's form. Where a sentence is a command, each value is one
word of it, whatever stands in it: a person will paste it into a shell.
"""

from __future__ import annotations

__all__ = ["asked", "fill", "impact_of", "next_steps_of", "title_of", "visible"]

import re
import shlex
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.healing.model import Match, Role

_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_COMMAND = re.compile(
    r"(?:alembic|cd|curl|date|dig|docker|doctl|git|greenroom|nc|openssl|ssh-keyscan|timedatectl) ",
)
_LONGEST_WORD = 300
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_LAYOUT = {"\n", "\t"}
_PEOPLE: Mapping[Role, str] = {"system administrator": "the system administrator", "devops": "DevOps", "qa": "QA"}


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Put values where their names stand in braces; a name without a value stays, so that the gap is seen."""

    def found(name: re.Match[str]) -> str:
        value = values.get(name[1])
        return name[0] if value is None else _text(value)

    return _NAME.sub(found, text)


def asked(role: Role) -> str:
    """Name who is asked, as part of a sentence."""
    return _PEOPLE[role]


def title_of(match: Match) -> str:
    """Return the cause in one sentence."""
    return fill(match.cause.title, _values(match))


def impact_of(match: Match) -> str:
    """Return what the cause means for the people who use the stack."""
    return fill(match.cause.impact, _values(match))


def next_steps_of(match: Match) -> tuple[str, ...]:
    """Return what a person does next: sentences, and commands in which every value that is no plain word is quoted."""
    plain = _values(match)
    words = {name: _shell_word(value) for name, value in plain.items() if value is not None}
    return tuple(fill(step, words if _COMMAND.match(step) else plain) for step in match.cause.next_steps)


def visible(text: str) -> str:
    """Return text with nothing hidden in it: colours are dropped, all other control characters are spelled out.

    Escape sequences that move a cursor, and marks that turn the reading direction round (CVE-2021-42574), would have
    a terminal or a browser show something else than what stands there.
    """
    return "".join(_shown(character) for character in _COLOUR.sub("", text.replace("\r\n", "\n")))


def _shown(character: str) -> str:
    if character in _LAYOUT or unicodedata.category(character) not in _HIDDEN:
        return character
    number = ord(character)
    if number <= 0xFF:  # noqa: PLR2004 - two hexadecimal digits
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004 - four of them


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _shell_word(value: Any) -> str:
    """Return a value as one word of a command, without anything that a terminal would act on."""
    return shlex.quote("".join(each for each in _text(value)[:_LONGEST_WORD] if each.isprintable()))


def _values(match: Match) -> dict[str, Any]:
    return {**match.details, "subject": match.subject, "code": match.cause.code}
