"""The env file: typed values to text that docker compose reads back byte for byte.

compose reads `NAME="value"` with backslash escapes and with `$` as the start of a variable; raw values get mangled
(backslashes, quotes, dollars, hashes), so every value is quoted. Lists and mappings become compact JSON, booleans
`true` and `false`: what pydantic's settings expect of a list is JSON, not commas.
"""

from __future__ import annotations

__all__ = [
    "NAME",
    "flatten",
    "quote",
    "render_environment",
    "resolve",
    "unquote",
    "variables_listed",
]

import json
import re
from typing import TYPE_CHECKING, Any

from infra.commands.references import names_in, substitute_within
from infra.commands.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LISTED = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*[=:]")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r"}


def flatten(value: Any) -> str:
    """Return a typed value as the text that its reader expects; a whole number stays one."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(_whole(value), separators=(",", ":"), ensure_ascii=False)


def resolve(values: Mapping[str, Any], secrets: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return all values as text, references filled in; what a reference stands for is never looked into again.

    `values` may refer to each other and to `secrets`; a secret is taken as it is, whatever is in it.

    ValueError for a name that no variable may have, for a reference to nothing, and for references in a circle.
    """
    done = dict(secrets or {})
    for name in [*values, *done]:
        if not NAME.match(name):
            raise ValueError(f"Not a variable name: {name!r}")
    waiting = {name: set(names_in(flatten(value))) for name, value in values.items()}
    for name, others in sorted(waiting.items()):
        if unknown := others - done.keys() - values.keys():
            raise ValueError(f"{name} refers to what is not there: {', '.join(sorted(unknown))}")
    while waiting:
        ready = [name for name, others in waiting.items() if not others & waiting.keys()]
        if not ready:
            raise ValueError(f"References in a circle: {', '.join(sorted(waiting))}")
        done |= {name: flatten(substitute_within(values[name], done)) for name in ready}
        waiting = {name: others for name, others in waiting.items() if name not in ready}
    return done


def quote(value: str) -> str:
    """Return a value in double quotes, as compose's env files want it. ValueError for a NUL byte."""
    if "\0" in value:
        raise ValueError("A NUL byte cannot be in an environment variable")
    return '"' + "".join(_ESCAPES.get(character, character) for character in value) + '"'


def unquote(text: str) -> str:
    """Undo `quote`."""
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[1]), text[1:-1])


def variables_listed(template: str) -> dict[str, int]:
    """Return the variables that a repository's template lists (`NAME=…`, comments apart), each with its first line."""
    listed: dict[str, int] = {}
    for number, line in enumerate(template.splitlines(), start=1):
        if match := _LISTED.match(line):
            listed.setdefault(match[1], number)
    return listed


def render_environment(values: Mapping[str, Any], secrets: Mapping[str, str] | None = None) -> str:
    """Return the env file's whole text, one variable a line, sorted by name."""
    variables = sorted(resolve(values, secrets).items())
    return render("environment.env.j2", {"variables": variables}, {"compose": quote})


def _whole(value: Any) -> Any:
    """Give whole numbers back their kind: on the wire between engine and provider every number is a double."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (list, tuple)):
        return [_whole(each) for each in value]  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    return value
