"""The outcome of looking at something that a service needs."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Check:
    """The outcome of one check: good or not, the reason when not, and facts worth showing."""

    ok: bool
    reason: str | None = None
    facts: dict[str, Any] = field(default_factory=dict[str, Any])

    def as_json(self) -> dict[str, Any]:
        """Return the check as it stands in the answer."""
        return {"ok": self.ok, **self.facts} | ({} if self.reason is None else {"reason": self.reason})


def first_line(error: BaseException) -> str:
    """Return the error's kind and the first line of its text: drivers append advice and links."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
