"""Changes one setting in a stack file and leaves every other character as it stands: comments, order, style."""

from __future__ import annotations

__all__ = ["with_generation"]

import copy
import re
from typing import Any

from infra.settings.document import read_document

_TOP = ("greenroom:secrets", "secrets")
_FLOW = re.compile(r"(?P<head>\s*\S+:\s*\{)(?P<body>[^{}]*(?:\{[^{}]*\}[^{}]*)*)(?P<tail>\}\s*(?:#.*)?)")
_GENERATION = re.compile(r"(\bgeneration:\s*)\d+")


def with_generation(text: str, name: str, generation: int) -> str | None:
    """Return the stack file's text with the generation of one declared secret set, or None where its style is unusual.

    The outcome is parsed again and compared: nothing but that generation differs.
    """
    before = read_document("", text.encode())
    top = next((key for key in _TOP if name in ((before.value or {}).get("config", {}).get(key) or {})), None)
    if top is None or before.problems:
        return None
    path = ("config", top, name)
    lines = text.splitlines(keepends=True)
    at, there = before.lines[path] - 1, before.lines.get((*path, "generation"))
    if flow := _FLOW.fullmatch(lines[at].rstrip("\n")):
        lines[at] = f"{flow['head']}{_in_flow(flow['body'], generation)}{flow['tail']}\n"
    elif there:
        lines[there - 1] = _GENERATION.sub(rf"\g<1>{generation}", lines[there - 1])
    else:
        margin = lines[at + 1][: len(lines[at + 1]) - len(lines[at + 1].lstrip(" "))] if at + 1 < len(lines) else ""
        lines.insert(at + 1, f"{margin}generation: {generation}\n")
    changed = "".join(lines)
    return changed if _is_just(before.value, changed, path, generation) else None


def _in_flow(body: str, generation: int) -> str:
    changed, count = _GENERATION.subn(rf"\g<1>{generation}", body)
    return changed if count else f"{body.rstrip()}, generation: {generation}"


def _is_just(before: Any, changed: str, path: tuple[str, str, str], generation: int) -> bool:
    wanted = copy.deepcopy(before)
    wanted[path[0]][path[1]][path[2]]["generation"] = generation
    after = read_document("", changed.encode())
    return not after.problems and after.value == wanted
