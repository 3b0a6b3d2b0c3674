"""The repository's jinja2 templates: undefined names are errors, and values are sandboxed and never looked into."""

from __future__ import annotations

__all__ = ["TEMPLATES", "recipe", "render", "render_text"]

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


def recipe(name: str) -> str:
    """Return a short digest of a template's text: a changed template is a change that a preview shows."""
    return hashlib.sha256((TEMPLATES / name).read_bytes()).hexdigest()[:16]


def render(name: str, values: Mapping[str, Any], filters: Mapping[str, Callable[[Any], str]] | None = None) -> str:
    """Render a template file. jinja2's UndefinedError when it uses a name that is not given."""
    return render_text((TEMPLATES / name).read_text(), values, filters)


def render_text(text: str, values: Mapping[str, Any], filters: Mapping[str, Callable[[Any], str]] | None = None) -> str:
    """Render a template's text in a sandbox; nothing is escaped, no global and no attribute of a value is in reach."""
    from jinja2 import StrictUndefined  # noqa: PLC0415 (66 ms that a run without changes never spends)
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.clear()
    environment.filters.update(filters or {})
    return environment.from_string(text).render(values)
