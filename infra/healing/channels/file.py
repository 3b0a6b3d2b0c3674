"""The escalation as a file beside the incident: written before anything is sent, so that no channel can lose it."""

from __future__ import annotations

__all__ = ["ESCALATION", "write_escalation"]

from typing import TYPE_CHECKING

from infra.commands.templates import render
from infra.durable import save
from infra.healing.pages import escaped, fenced
from infra.healing.plain import to_plain
from infra.redaction import PROCESS

if TYPE_CHECKING:
    from pathlib import Path

    from infra.healing.notice import Notice

ESCALATION = "escalation.md"


def write_escalation(notice: Notice, directory: Path) -> Path:
    """Write the escalation as Markdown, masked; gives the path back."""
    path = directory / ESCALATION
    save(path, PROCESS.mask(render("escalation.md.j2", to_plain(notice), {"text": escaped, "fence": fenced})))
    return path
