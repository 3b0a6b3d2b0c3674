"""Property paths such as `tags.env`, `rules[0].port`, `["a.b"].c` and `rules[*].port`.

They name places in property maps for ignoreChanges, replaceOnChanges, hideDiffs and providers' detailed diffs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from localcloud.engine.values import Secret

WILDCARD = "*"
_TOKEN = re.compile(
    r"""\.?(?P<name>[^.\[\]"]+)|\[(?P<index>\d+)\]|\["(?P<quoted>(?:[^"\\]|\\.)*)"\]|\[(?P<star>\*)\]"""
)

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Missing:
    """Stands for a place that is not there."""


MISSING = _Missing()


def parse(text: str) -> Path:
    """Split a path into keys, indexes and wildcards. Raises ValueError for malformed text."""
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise ValueError(f"Not a property path: {text!r}")
        if token["index"] is not None:
            parts.append(int(token["index"]))
        elif token["quoted"] is not None:
            parts.append(token["quoted"].replace('\\"', '"'))
        else:
            parts.append(token["name"] or token["star"])
        position = token.end()
    return tuple(parts)


def render(path: Path) -> str:
    """Write a path in the notation that `parse` reads."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r'[^.\[\]"]+', part):
            text += f".{part}" if text else part
        else:
            quoted = part.replace('"', '\\"')
            text += f'["{quoted}"]'
    return text


def matches(pattern: Path, path: Path) -> bool:
    """Say whether `path` is at or below a place that `pattern` names."""
    return len(pattern) <= len(path) and all(
        wanted in (WILDCARD, part) for wanted, part in zip(pattern, path, strict=False)
    )


def reset(new: Any, old: Any, path: Path) -> Any:
    """Return `new` with the value at `path` taken from `old`; absent in `old` means removed from `new`."""
    if not path:
        return new if isinstance(old, _Missing) else old
    if isinstance(new, Secret) or isinstance(old, Secret):
        inner = reset(_unwrapped(new), _unwrapped(old), path)
        return Secret(inner) if isinstance(new, Secret) or _has(_unwrapped(old), path) else inner
    head, rest = path[0], path[1:]
    if head == WILDCARD:
        for key in _keys(new, old):
            new = reset(new, old, (key, *rest))
        return new
    return _reset_at(new, old, head, rest)


def _reset_at(new: Any, old: Any, head: str | int, rest: Path) -> Any:
    before, after = get(old, head), get(new, head)
    if not rest:
        return _with(new, head, before)
    if isinstance(after, _Missing):
        return new
    return _with(new, head, reset(after, before if not isinstance(before, _Missing) else _empty(after), rest))


def _empty(like: Any) -> Any:
    return [] if isinstance(like, list) else {}


def _has(value: Any, path: Path) -> bool:
    for part in path:
        value = get(_unwrapped(value), part)
    return not isinstance(value, _Missing)


def _unwrapped(value: Any) -> Any:
    return value.value if isinstance(value, Secret) else value


def _keys(*values: Any) -> list[str | int]:
    keys: dict[str | int, None] = {}
    for value in values:
        if isinstance(value, dict):
            keys.update(dict.fromkeys(value))
        elif isinstance(value, list):
            keys.update(dict.fromkeys(range(len(value))))
    return list(keys)


def get(value: Any, part: str | int) -> Any:
    """Return the member of an object or list, or MISSING."""
    if isinstance(value, dict):
        return value.get(part, MISSING)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return MISSING


def _with(container: Any, part: str | int, value: Any) -> Any:
    if isinstance(container, dict):
        rest = {key: item for key, item in container.items() if key != part}
        return rest if isinstance(value, _Missing) else {**container, part: value}
    if isinstance(container, list) and isinstance(part, int):
        if isinstance(value, _Missing):
            return [item for index, item in enumerate(container) if index != part]
        return [*container[:part], value, *container[part + 1 :]]
    return container
