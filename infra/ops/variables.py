"""Fills the variables of a contract's requests: what the caller gives, what earlier answers gave, and what is new."""

from __future__ import annotations

__all__ = ["Scope", "at_path"]

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

_VARIABLE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


def at_path(document: Any, path: str) -> Any:
    """Give the value at a dotted path (`ids.0`); LookupError names the part that is not there."""
    value = document
    for part in path.split("."):
        if isinstance(value, list) and part.isdigit():
            entries = cast("list[Any]", value)
            if int(part) >= len(entries):
                raise LookupError(f"{path}: the list has {len(entries)} entries")
            value = entries[int(part)]
        elif isinstance(value, dict) and part in value:
            value = cast("dict[str, Any]", value)[part]
        else:
            raise LookupError(f"{path}: there is no {part}")
    return value


@dataclass
class Scope:
    """The variables of one run."""

    given: dict[str, Any]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:10])

    def expand(self, value: Any, **local: Any) -> Any:
        """Return the value with its variables filled; a text that is one variable takes the variable's type."""
        if isinstance(value, str):
            return self._text(value, local)
        if isinstance(value, list | tuple):
            return [self.expand(each, **local) for each in cast("list[Any]", value)]
        if isinstance(value, dict):
            mapping = cast("dict[str, Any]", value)
            if set(mapping) == {"repeat", "item"}:
                return self._repeat(int(mapping["repeat"]), mapping["item"])
            return {key: self.expand(each, **local) for key, each in mapping.items()}
        return value

    def _repeat(self, count: int, item: Any) -> list[Any]:
        return [
            self.expand(item, n=n, nn=f"{n:02d}", item_time=_stamp(self.started - timedelta(seconds=count - n)))
            for n in range(count)
        ]

    def _text(self, text: str, local: dict[str, Any]) -> Any:
        whole = _VARIABLE.fullmatch(text)
        if whole:
            return self._value(whole.group(1), local)
        return _VARIABLE.sub(lambda match: str(self._value(match.group(1), local)), text)

    def _value(self, name: str, local: dict[str, Any]) -> Any:
        if name in local:
            return local[name]
        if name in self.given:
            return self.given[name]
        fresh = {
            "run": lambda: self.run,
            "uuid": lambda: str(uuid.uuid4()),
            "now": lambda: _stamp(datetime.now(UTC)),
            "today": lambda: self.started.date().isoformat(),
        }
        if name not in fresh:
            raise LookupError(f"Nothing has given the variable {{{name}}}: the request that captures it failed")
        return fresh[name]()


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
