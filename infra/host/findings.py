"""What a look at a host found: what differs, what was expected, what is there, and since when where that is known."""

from __future__ import annotations

__all__ = ["Finding", "docker_silent", "of_file", "unanswered"]

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Finding:
    """One difference. No secret is in any field: values of variables are told by name alone."""

    what: str
    expected: str = ""
    found: str = ""
    since: str | None = None
    """When it came to be so, as the host knows it (RFC 3339, UTC); None where nothing there tells."""

    @property
    def wire(self) -> dict[str, Any]:
        """Return the finding as plain data, for outputs."""
        return asdict(self)


def of_file(what: str, expected: str, found: str, fact: Mapping[str, Any]) -> Finding:
    """Return a finding about a file or directory, dated by its last change; what is gone has no date."""
    return Finding(what, expected, found, fact.get("changed_at"))


def docker_silent(things: str, count: int) -> Finding:
    """Return the finding of what only Docker knows, while it does not answer: nobody can say what there is of it."""
    return Finding(f"which {things} there are is unknown: Docker does not answer", f"{count} {things}", "unknown")


def unanswered(host: str) -> Finding:
    """Return the finding of a host that could not be asked."""
    return Finding(f"{host} does not answer", "an answer", "none")
