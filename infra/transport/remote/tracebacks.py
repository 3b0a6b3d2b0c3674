"""The first error in a log, as Python and Node print one: fields out of lines, and nothing but data in them.

What is found is no more than what a program printed. Who printed it is known by other means (whose log it is), and
whether it matters is decided elsewhere.
"""

from __future__ import annotations

__all__ = ["errors_in", "first_error", "marked_lines", "unwrapped"]

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_MOST_LINES = 20_000
_LONGEST = 20_000
_FRAMES = 120
_WITHIN = ("error", "err", "exc", "exception")
_TELLING = ("exc_info", "exc_text", "exception", "stack", "stack_trace", "stacktrace", "traceback")
"""The fields in which JSON loggers put a traceback: Python's logging, structlog, ECS, pino, Google's."""
_FOLLOWING = 6
_MOST_CHAINED, _CHAIN_WITHIN = 4, 14
_JOINT = re.compile(
    r"[ |]{0,8}(?:The above exception was the direct cause of the following exception:"
    r"|During handling of the above exception, another exception occurred:)\Z"
)
_PYTHON = re.compile(r"(?:  \+ |    \| )?(?:Exception Group )?Traceback \(most recent call last\):\s*\Z")
_FRAME = re.compile(r'\s+File "([^"\n]{1,500})", line (\d{1,7})')
_RAISED = re.compile(r"([A-Za-z_][A-Za-z0-9_.]{0,200})(?:: ?(.*))?\Z", re.DOTALL)
_SYNTAX = re.compile(r"((?:Syntax|Indentation|Tab)Error): (.*)")
_GROUP = re.compile(r"\s*[|+] ")
_NODE = re.compile(
    r"(?:Uncaught )?([A-Z][A-Za-z0-9_]{0,60}(?:Error|Exception)|Error)(?: \[([A-Z_0-9]{1,60})\])?(?:: (.*))?\Z"
)
_PLACE = re.compile(r"\s+at (?:.{0,300}? \()?(?:file://)?((?:node:)?[^\s():]{1,300}):(\d{1,7}):\d{1,7}\)?(?: \{)?\Z")
_NODE_CODE = re.compile(r"\s+code: '([A-Z_0-9]{1,60})'")
_MARK = re.compile(r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [A-Z+0-9:-]{1,8} \[\d{1,9}\] )?(FATAL|PANIC|ERROR):  ")


def first_error(text: str) -> dict[str, Any] | None:
    """Return the first error that a log tells of: see `errors_in`."""
    return next(iter(errors_in(text, most=1)), None)


def errors_in(text: str, most: int = 40) -> list[dict[str, Any]]:
    """Return {language, type, message, file, line, line_text, following, code, then, number} of each error of a log.

    `file` and `line` are those of the innermost frame, `line_text` is the line that names the error and `number` where
    it stands, `following` are the lines right after it, in which some libraries say the rest. `then` are the errors
    that were raised because of it, or while it was handled: the last one is what the program ended with.
    """
    lines = [line[:_LONGEST].rstrip("\r") for line in text.split("\n", _MOST_LINES)[:_MOST_LINES]]
    found: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = []  # which tell only that something inside them went wrong
    number = 0
    while number < len(lines) and len(found) < most:
        error = _error_at(lines, number)
        if error is None:
            number += 1
            continue
        error["then"] = list(_chained(lines, error["number"]))
        (groups if error["type"].endswith("ExceptionGroup") else found).append(error)
        number = max(number, *(each["number"] for each in (error, *error["then"]))) + 1
    return found or groups[:1]


def unwrapped(line: str) -> list[str]:
    """Return the lines of the traceback that a line of JSON carries in a field for one; any other line as it is.

    A message may hold whatever a visitor sent, so it is never opened: only a field that a logger fills by itself is.
    """
    if not line.startswith("{") or len(line) > _LONGEST or "\\n" not in line:
        return [line]
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return [line]
    places = [told, *(told[name] for name in _WITHIN if isinstance(told.get(name), dict))]
    fields = (place[name] for place in places for name in _TELLING if isinstance(place.get(name), str))
    return next((field.split("\n") for field in fields if "\n" in field), [line])


def _error_at(lines: list[str], number: int) -> dict[str, Any] | None:
    """Return the error whose telling begins on a line."""
    line = lines[number]
    if line.endswith("(most recent call last):"):
        return _python(lines, number + 1) if _PYTHON.match(line) else None
    if line.startswith('  File "'):  # a script that can't be read at all has no traceback
        return _unreadable(lines, number)
    return _node(lines, number) if "rror" in line or "xception" in line else None


def _chained(lines: list[str], number: int) -> Iterator[dict[str, Any]]:
    for _ in range(_MOST_CHAINED):
        below = range(number + 1, min(number + _CHAIN_WITHIN, len(lines)))
        joint = next((each for each in below if _JOINT.match(lines[each])), None)
        heads = range(joint + 1, min(joint + 4, len(lines))) if joint is not None else range(0)
        head = next((each for each in heads if _PYTHON.match(lines[each])), None)
        error = _python(lines, head + 1) if head is not None else None
        if error is None:
            return
        yield error
        number = error["number"]


def marked_lines(text: str, most: int = 12) -> list[str]:
    """Return the first lines that a PostgreSQL server marks as failures, each once."""
    found = (line[:_LONGEST] for line in text.split("\n", _MOST_LINES)[:_MOST_LINES] if _MARK.match(line))
    return list(dict.fromkeys(found))[:most]


def _python(lines: list[str], start: int) -> dict[str, Any] | None:
    """Read frames until the line that names the exception: the first one that is not indented."""
    place = ("", 0)
    for number in range(start, min(start + 2 * _FRAMES, len(lines))):
        line = _GROUP.sub("", lines[number], count=1) if lines[number].lstrip()[:1] in ("|", "+") else lines[number]
        frame = _FRAME.match(line)
        if frame:
            place = (frame.group(1), int(frame.group(2)))
        elif line and not line[0].isspace():
            raised = _RAISED.match(line)
            return {"language": "python", **_error(raised, place, lines, number)} if raised else None
    return None


def _unreadable(lines: list[str], start: int) -> dict[str, Any] | None:
    place = _FRAME.match(lines[start])
    for number in range(start + 1, min(start + 5, len(lines))):
        raised = _SYNTAX.match(lines[number])
        if place and raised:
            found = _error(raised, (place.group(1), int(place.group(2))), lines, number)
            return {"language": "python", **found}
    return None


def _node(lines: list[str], number: int) -> dict[str, Any] | None:
    """Read an error with its stack: the name on one line, places below."""
    named = _NODE.match(lines[number])
    if not named:
        return None
    below = lines[number + 1 : number + 12]
    place = next((found for found in map(_PLACE.match, below) if found), None)
    if place is None:
        return None
    code = named.group(2) or next((found.group(1) for found in map(_NODE_CODE.match, below) if found), "")
    found = _error(named, (place.group(1), int(place.group(2))), lines, number)
    return {"language": "node", **found, "code": code}


def _error(named: re.Match[str], place: tuple[str, int], lines: list[str], number: int) -> dict[str, Any]:
    """Put the fields together; the last group of `named` is the message."""
    following = [each for each in lines[number + 1 : number + 1 + _FOLLOWING] if each.strip()]
    return {
        "type": named.group(1),
        "message": (named.group(named.re.groups) or "").strip(),
        "file": place[0],
        "line": place[1],
        "line_text": lines[number].strip(),
        "following": following,
        "code": "",
        "then": [],
        "number": number,
    }
