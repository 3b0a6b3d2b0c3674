"""docs/causes.md is the causes' own table."""

from __future__ import annotations

from pathlib import Path

from infra.healing.causes import CAUSES, UNKNOWN

PAGE = Path(__file__).parents[3] / "docs" / "causes.md"


def table() -> list[str]:
    rows = ["| code | rows | stage | verdict | remedy | asked | what it says |", "|---|---|---|---|---|---|---|"]
    for each in (*CAUSES, UNKNOWN):
        words = [each.code, " ".join(each.rows), each.stage, each.verdict.value, each.remedy, each.role, each.title]
        rows.append(f"| {' | '.join(words)} |".replace("|  |", "| |"))
    return rows


def test_the_page_lists_every_cause_as_it_is() -> None:
    shown = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert shown == table()
