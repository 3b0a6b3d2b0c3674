"""Turns results into what people and programs read: lines for the eye, one versioned document for `--json`."""

from __future__ import annotations

__all__ = ["changed_steps", "document_of", "explain", "summary", "table"]

import json
from typing import TYPE_CHECKING, Any

from infra.cli.progress import kind_of
from localcloud.engine.events import PHYSICAL_HALVES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from localcloud.engine import Result
    from localcloud.engine.events import PropertyDiff, Step

SIGNS = {"create": "+", "update": "~", "delete": "-", "replace": "±", "read": ">", "discard": "<"}
VALUE_LIMIT = 160
QUIET = {"same", "refresh", "read"}
HIDDEN = {"__provider"}


def changed_steps(result: Result) -> list[Step]:
    """Pick the steps that change something, each replacement once."""
    return [step for step in result.steps if step.op not in QUIET and step.op not in PHYSICAL_HALVES]


def explain(result: Result, drift: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """Describe each change, with the properties that differ and, by urn, what the last refresh had found."""
    lines: list[str] = []
    for step in changed_steps(result):
        lines.append(f"{SIGNS.get(step.op, '?')} {step.op:<8} {step.name} ({kind_of(step.type)})")
        if step.op != "create":
            lines += [f"      {line}" for line in _properties(step.diff)]
            lines += [f"      drift: {found}" for found in (drift or {}).get(step.urn, ())]
    return lines


def summary(result: Result) -> str:
    """Count the changes in one line."""
    counted: dict[str, int] = {}
    for step in result.steps:
        if step.op not in PHYSICAL_HALVES:
            key = "same" if step.op in QUIET else step.op
            counted[key] = counted.get(key, 0) + 1
    past = result.operation != "preview"
    words = {
        "create": "created" if past else "to create",
        "update": "updated" if past else "to update",
        "replace": "replaced" if past else "to replace",
        "delete": "deleted" if past else "to delete",
        "same": "unchanged",
    }
    parts = [f"{counted[op]} {word}" for op, word in words.items() if counted.get(op)]
    return f"{', '.join(parts) or 'nothing there'}, {result.seconds:.1f} s"


def document_of(verb: str, stack: str, result: Result, **more: Any) -> dict[str, Any]:
    """Build the `--json` document of a run; its schema carries a version."""
    return {
        "schema": f"greenroom/{verb}/1",
        "stack": stack,
        "succeeded": result.succeeded,
        "changes": result.changes,
        "seconds": round(result.seconds, 3),
        "steps": [
            {
                "urn": step.urn,
                "type": step.type,
                "name": step.name,
                "op": step.op,
                "failed": step.failed,
                "seconds": round(step.seconds, 3),
                "diff": [
                    {"path": each.path, "kind": each.kind, "old": each.old, "new": each.new}
                    for each in step.diff
                    if each.path.split(".")[0] not in HIDDEN
                ],
            }
            for step in result.steps
            if step.op not in QUIET or step.failed
        ],
        "diagnostics": [
            {"severity": each.severity, "message": each.message, "urn": each.urn}
            for each in result.diagnostics
            if each.severity in {"warning", "error"}
        ],
        **more,
    }


def table(rows: Sequence[Sequence[str]], *, header: Sequence[str] = ()) -> list[str]:
    """Align columns; the last one is left ragged."""
    everything = [list(header), *[list(row) for row in rows]] if header else [list(row) for row in rows]
    if not everything:
        return []
    widths = [max(len(row[index]) for row in everything) for index in range(len(everything[0]))]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)), row[-1]]).rstrip()
        for row in everything
    ]


def _properties(diff: Iterable[PropertyDiff]) -> list[str]:
    lines: list[str] = []
    for each in diff:
        if each.path.split(".")[0] in HIDDEN:
            continue
        note = "  (forces a replacement)" if each.kind.endswith("replace") else ""
        if each.kind.startswith("add"):
            lines.append(f"+ {each.path}: {_short(each.new)}{note}")
        elif each.kind.startswith("delete"):
            lines.append(f"- {each.path}: {_short(each.old)}{note}")
        else:
            lines.append(f"~ {each.path}: {_short(each.old)} -> {_short(each.new)}{note}")
    return lines


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= VALUE_LIMIT else f"{text[:VALUE_LIMIT]}…"
