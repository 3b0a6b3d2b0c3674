"""Values of the environment may name other values, as `{{ POSTGRES_PASSWORD }}`; nothing else of a template language.

Substitution is literal and happens once: a value that comes out is never looked at again, so no secret can smuggle in
a template, and two names cannot chase each other.
"""

from __future__ import annotations

__all__ = ["BUILT_IN", "check_templates", "names_in", "substitute", "text_of"]

import json
import re
from typing import TYPE_CHECKING, Any

from infra.errors import Problem
from infra.settings.fields import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.settings.document import Path
    from infra.settings.model import Settings

BUILT_IN = {
    "RELEASE_TAG": "the tag of the release's images, staging-<first seven of the commit>",
    "RELEASE_COMMIT": "the whole commit id of the release",
    "VOLUME_PATH": "where the volume is mounted on the droplet",
    "DOMAIN": "the stack's public name",
    "ADMIN_EMAIL": "the administrator's mail address",
}
"""Names that Greenroom provides itself."""

_REFERENCE = re.compile(r"\{\{ *([A-Z][A-Z0-9_]*) *\}\}")
_BRACES = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")


def text_of(value: Any) -> str:
    """Render a setting as the text that a container reads: lists and booleans as JSON, text as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def names_in(text: str) -> list[str]:
    """Name what a value refers to."""
    return _REFERENCE.findall(text)


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Put values in place of their names; other names stay for whoever knows them."""
    return _REFERENCE.sub(lambda match: values.get(match.group(1), match.group(0)), text)


def check_templates(settings: Settings, where: Callable[[Path], str]) -> list[Problem]:
    """Refuse braces that mean something else, and names that have no value or have names in theirs."""
    problems: list[Problem] = []
    plain = {name for name, value in settings.environment.items() if not names_in(text_of(value))}
    known = plain | set(settings.secrets) | set(BUILT_IN)
    for name, value in settings.environment.items():
        text = text_of(value)
        key = ("environment", name)
        if _BRACES.search(_REFERENCE.sub("", text)):
            problems.append(Problem(where(key), ".".join(key), "braces of a template", "text, or {{ NAME }} only"))
        for other in names_in(text):
            if other not in known:
                chained = other in settings.environment
                found = f"{{{{ {other} }}}}, {'itself made of others' if chained else 'which nobody provides'}"
                expected = f"a name under secrets, or a plain one under environment{nearest(other, sorted(known))}"
                problems.append(Problem(where(key), ".".join(key), found, expected))
    return problems
