"""What alembic prints, as facts."""

from __future__ import annotations

__all__ = ["Revision", "parse_applied", "parse_current"]

import re
from dataclasses import dataclass

_CURRENT = re.compile(r"^([A-Za-z0-9_]+)( \(head\))?\s*$", re.MULTILINE)
_APPLIED = re.compile(r"Running upgrade ([A-Za-z0-9_, ]*) -> ([A-Za-z0-9_]+)")


@dataclass(frozen=True)
class Revision:
    """Where a database's schema stands."""

    name: str
    """The revision's id; several are joined by commas; empty on a database that was never migrated."""
    is_head: bool


def parse_current(stdout: str) -> Revision:
    """Read `alembic current`: one `revision (head)` a line, nothing for an empty database."""
    found = _CURRENT.findall(stdout)
    return Revision(",".join(name for name, _ in found), bool(found) and all(mark for _, mark in found))


def parse_applied(printed: str) -> list[str]:
    """Read the upgrades that a run has made, as `from -> to`."""
    return [f"{old.strip() or 'nothing'} -> {new}" for old, new in _APPLIED.findall(printed)]
