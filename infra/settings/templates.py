"""Checks what values of the environment refer to (`infra.commands.references`): all that passes here can be filled in.

A value refers to secrets, to plain values and to what Greenroom provides, never to one that refers to others.
"""

from __future__ import annotations

__all__ = ["check_templates", "raw_in_url"]

import re
from typing import TYPE_CHECKING, Any

from infra.commands.environment import flatten
from infra.commands.references import REFERENCE, names_in
from infra.errors import Problem
from infra.settings.fields import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.settings.document import Path
    from infra.settings.model import Settings

_COMPOSE_ONLY = {"RELEASE_TAG", "RELEASE_COMMIT", "VOLUME_PATH"}
"""Names that Greenroom provides for compose's own environment: the env file stays the same across releases."""
_PROVIDED = {"DOMAIN", "ADMIN_EMAIL"}
"""Names that Greenroom provides everywhere."""

_PLACEHOLDER = re.compile(r"<[^<>\s]*(?i:change|replace|your|todo|fixme)[^<>]*>")
_BRACES = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")


def raw_in_url(text: str) -> list[str]:
    """Name what a URL takes in as it is: a `/`, `@` or `%` in such a value would change what the URL means."""
    start = text.find("://")
    return [match[1] for match in REFERENCE.finditer(text) if 0 <= start < match.start() and not match[2]]


def check_templates(settings: Settings, where: Callable[[Path], str]) -> list[Problem]:
    """Refuse what could not be filled in, or would not arrive: see `_wrong`, and names that are not plain in roles."""
    texts = {name: flatten(value) for name, value in settings.environment.items()}
    plain = {name for name, text in texts.items() if not names_in(text)} | _PROVIDED
    secrets = set(settings.workload_secrets) - _PROVIDED - _COMPOSE_ONLY
    problems: list[Problem] = []
    for name, text in texts.items():
        key = ("environment", name)
        for found, expected in _wrong(text, plain, secrets, set(texts)):
            problems.append(Problem(where(key), ".".join(key), found, expected))
    return problems + _check_roles(settings, where, plain)


def _wrong(text: str, plain: set[str], secrets: set[str], declared: set[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with one value, and what was expected instead."""
    names = names_in(text)
    known = plain | secrets | _COMPOSE_ONLY
    if _BRACES.search(REFERENCE.sub("", text)):
        yield "braces of a template", "text, {{ NAME }} or {{ NAME | url }} only"
    for other in names:
        if other not in known:
            found = f"{{{{ {other} }}}}, {'itself made of others' if other in declared else 'which nobody provides'}"
            yield found, f"a name under secrets, or a plain one under environment{nearest(other, sorted(known))}"
    for_compose = sorted(_COMPOSE_ONLY & set(names))
    for other in sorted(secrets & set(names)) if for_compose else ():
        found = f"the secret {{{{ {other} }}}} beside {{{{ {for_compose[0]} }}}}"
        yield found, f"a variable for each: what names {for_compose[0]} is kept in plain state, for compose to read"
    if _PLACEHOLDER.search(text):
        yield "a placeholder", "the value itself"
    if "\0" in text:
        yield "a NUL character", "text that a variable can hold"


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
            if unknown or _BRACES.search(REFERENCE.sub("", text)):
                key = (*place, field)
                problems.append(Problem(where(key), ".".join(key), repr(text), "a name, or {{ NAME }} of environment"))
    return problems
