"""The security report as one self-contained page: no script, no font and no picture from anywhere else."""

from __future__ import annotations

__all__ = ["write_page"]

from typing import TYPE_CHECKING, Any

from infra.commands.templates import render
from infra.redaction import PROCESS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TEMPLATE = "security.html.j2"
ORDER = ("failed", "waived", "not-applicable", "passed")


def write_page(document: Mapping[str, Any], path: Path) -> Path:
    """Render a `greenroom/security/1` document to a file, masked like all evidence; gives the path back."""
    rows: list[dict[str, Any]] = [{**row, "rank": ORDER.index(row["status"])} for row in document["rows"]]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    chapters = [
        {"name": name, "rows": sorted(found, key=lambda row: row["rank"]), "failed": _count(found, "failed")}
        for name, found in groups.items()
    ]
    counts = [{"status": status, "number": _count(rows, status)} for status in ORDER]
    text = render(TEMPLATE, {"report": dict(document), "chapters": chapters, "counts": counts})
    path.write_text(PROCESS.mask(text), encoding="utf-8")
    return path


def _count(rows: list[dict[str, Any]], status: str) -> int:
    return sum(row["status"] == status for row in rows)
