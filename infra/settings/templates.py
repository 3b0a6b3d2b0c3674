"""Values of the environment may name other values, as `{{ POSTGRES_PASSWORD }}`; nothing else of a template language.

Substitution is literal and happens once: a value that comes out is never looked at again, so no secret can smuggle in
a template, and two names cannot chase each other. The one filter is `{{ NAME | url }}`, which percent-encodes.
"""

from __future__ import annotations

__all__ = ["BUILT_IN", "check_templates", "names_in", "raw_in_url", "substitute", "text_of"]

import json
import re
import urllib.parse
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

_REFERENCE = re.compile(r"\{\{ *([A-Z][A-Z0-9_]*) *(\| *url *)?\}\}")
_PLACEHOLDER = re.compile(r"<[^<>\s]*(?i:change|replace|your|todo|fixme)[^<>]*>")
_BRACES = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")


def text_of(value: Any) -> str:
    """Render a setting as the text that a container reads: lists and booleans as JSON, text as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def names_in(text: str) -> list[str]:
    """Name what a value refers to."""
    return [match[1] for match in _REFERENCE.finditer(text)]


def raw_in_url(text: str) -> list[str]:
    """Name what a URL takes in as it is: a `/`, `@` or `%` in such a value would change what the URL means."""
    start = text.find("://")
    return [match[1] for match in _REFERENCE.finditer(text) if 0 <= start < match.start() and not match[2]]


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Put values in place of their names; other names stay for whoever knows them."""

    def replaced(match: re.Match[str]) -> str:
        value = values.get(match[1])
        return match[0] if value is None else urllib.parse.quote(value, safe="") if match[2] else value

    return _REFERENCE.sub(replaced, text)


def check_templates(settings: Settings, where: Callable[[Path], str]) -> list[Problem]:
    """Refuse braces that mean something else, and names that have no value or have names in theirs."""
    problems: list[Problem] = []
    plain = {name for name, value in settings.environment.items() if not names_in(text_of(value))}
    known = plain | set(settings.workload_secrets) | set(BUILT_IN)
    for name, value in settings.environment.items():
        text = text_of(value)
        key = ("environment", name)
        if _BRACES.search(_REFERENCE.sub("", text)):
            problems.append(
                Problem(where(key), ".".join(key), "braces of a template", "text, {{ NAME }} or {{ NAME | url }} only")
            )
        for other in names_in(text):
            if other not in known:
                chained = other in settings.environment
                found = f"{{{{ {other} }}}}, {'itself made of others' if chained else 'which nobody provides'}"
                expected = f"a name under secrets, or a plain one under environment{nearest(other, sorted(known))}"
                problems.append(Problem(where(key), ".".join(key), found, expected))
        if _PLACEHOLDER.search(text):
            problems.append(Problem(where(key), ".".join(key), "a placeholder", "the value itself"))
    return problems + _check_roles(settings, where, plain | set(BUILT_IN))


def _check_roles(settings: Settings, where: Callable[[Path], str], plain: set[str]) -> list[Problem]:
    """Refuse roles and databases whose names refer to what is not plain."""
    named: dict[tuple[str, ...], Any] = {
        ("secrets", secret, "database"): setting.database for secret, setting in settings.secrets.items()
    }
    if settings.workload.migrations:
        named["workload", "migrations", "version"] = settings.workload.migrations.version
    problems: list[Problem] = []
    for place, names in named.items():
        for field in ("role", "name", "superuser") if names else ():
            text = getattr(names, field, None) or ""
            unknown = [name for name in names_in(text) if name not in plain]
            if unknown or _BRACES.search(_REFERENCE.sub("", text)):
                key = (*place, field)
                problems.append(Problem(where(key), ".".join(key), repr(text), "a name, or {{ NAME }} of environment"))
    return problems
