"""Reading what a request carries, with the API's own complaints.

A `Fields` remembers which keys were asked for. What a client sent and no handler asked for is what the real API
would have tolerated in silence; here the dispatcher logs it by name.
"""

from __future__ import annotations

__all__ = ["Fields"]

import re
from typing import TYPE_CHECKING, Any, cast

from localcloud.digitalocean.errors import unprocessable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Fields:
    """Typed reads of a JSON object or a query string."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._asked: set[str] = set()

    def __contains__(self, name: str) -> bool:
        # Some clients send an empty string for what is not set.
        return self.raw(name, "") != ""

    @property
    def unasked(self) -> list[str]:
        """Names that were sent and that no handler looked at."""
        return sorted(set(self._values) - self._asked)

    def raw(self, name: str, default: Any = None) -> Any:
        """Return the value as it came; null counts as absent."""
        self._asked.add(name)
        value = self._values.get(name)
        return default if value is None else value

    def accept(self, *names: str) -> None:
        """Say that these are known and have no effect here."""
        self._asked.update(names)

    def text(self, name: str, default: str | None = None, *, pattern: str = "", longest: int = 0) -> str:
        """Return a string; without a default it is required and may not be empty."""
        value = self.raw(name)
        if value is None or (value == "" and default is None):
            if default is None:
                raise unprocessable(f"{name} is required")
            return default
        if not isinstance(value, str):
            raise unprocessable(f"{name} must be a string")
        if pattern and not re.fullmatch(pattern, value):
            raise unprocessable(f"{name} is invalid: {value!r}")
        if longest and len(value) > longest:
            raise unprocessable(f"{name} is too long (maximum is {longest} characters)")
        return value

    def choice(self, name: str, allowed: Collection[str], default: str | None = None) -> str:
        """Return a string out of a fixed list."""
        value = self.text(name, default)
        if value not in allowed and value != default:
            raise unprocessable(f"{name} must be one of {', '.join(allowed)}")
        return value

    def integer(self, name: str, default: int | None = None, *, least: int | None = None) -> int:
        """Return a whole number; digits in a string count."""
        value = self.raw(name)
        if value is None:
            if default is None:
                raise unprocessable(f"{name} is required")
            return default
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise unprocessable(f"{name} must be an integer")
        if least is not None and value < least:
            raise unprocessable(f"{name} must be at least {least}")
        return value

    def number(self, name: str) -> float:
        """Return a required number."""
        value = self.raw(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise unprocessable(f"{name} must be a number")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean; "true" and "false" count."""
        value = self.raw(name, default)
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise unprocessable(f"{name} must be a boolean")
        return value

    def list(self, name: str) -> list[Any]:
        """Return a list; absent is empty."""
        value = self.raw(name, [])
        if not isinstance(value, list):
            raise unprocessable(f"{name} must be an array")
        return cast("list[Any]", value)

    def texts(self, name: str) -> list[str]:
        """Return a list of strings; absent is empty."""
        values = self.list(name)
        if not all(isinstance(value, str) for value in values):
            raise unprocessable(f"{name} must be an array of strings")
        return values

    def integers(self, name: str) -> list[int]:
        """Return a list of whole numbers; absent is empty."""
        return [Fields({name: value}).integer(name) for value in self.list(name)]

    def object(self, name: str) -> Fields:
        """Return a nested object; absent is empty."""
        value = self.raw(name, {})
        if not isinstance(value, dict):
            raise unprocessable(f"{name} must be an object")
        return Fields(cast("dict[str, Any]", value))
