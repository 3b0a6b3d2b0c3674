"""Tells of every declared secret where it comes from, whether it is usable, since when, and which services read it.

Never a value. Everything that is asked for is passed in: the settings, the decrypted configuration, and what the
stack's state remembers of its generated secrets and of its compose project.
"""

from __future__ import annotations

__all__ = ["SCHEMA", "Known", "Row", "survey", "survey_document"]

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from infra.secret import look, rules_of, sources_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.errors import Problem
    from infra.secret import Found
    from infra.settings import Settings
    from infra.settings.model import SecretSetting

SCHEMA = "greenroom/secrets/1"
_STATES = {"nothing": "missing", "an empty value": "empty", "a placeholder": "placeholder"}


@dataclass(frozen=True)
class Known:
    """What the stack's state remembers; empty before the first deployment."""

    generated: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By secret: `generation`, and `made_at` in UTC."""
    readers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By secret: the services that get it."""


@dataclass(frozen=True)
class Row:
    """One secret, as the document shows it."""

    name: str
    source: str
    where: str
    state: str
    """set, missing, empty, placeholder, weak, unreadable; of a generated one set, to make or to rotate."""
    detail: str
    """What is wrong with it, empty where nothing is."""
    changed: str | None
    """When it was last changed, in UTC, where that is known."""
    readers: list[str]


def survey(
    settings: Settings,
    stack: str,
    config: Mapping[str, str],
    known: Known,
    environment: Mapping[str, str] | None = None,
) -> tuple[list[Row], list[Problem], str]:
    """Look at every secret; return rows in the settings' order, all problems, and the first one's next command."""
    found = look(rules_of(settings), sources_of(settings, stack, config, environment))
    rows = [
        _given(name, each, stack, found[name], known) if name in found else _generated(name, each, known)
        for name, each in settings.secrets.items()
    ]
    wrong = [each for each in found.values() if each.problem]
    return rows, [each.problem for each in wrong if each.problem], wrong[0].hint if wrong else ""


def survey_document(stack: str, rows: Sequence[Row], problems: Sequence[Problem]) -> dict[str, Any]:
    """Return the `--json` document; docs/secrets.md describes it."""
    return {
        "schema": SCHEMA,
        "stack": stack,
        "secrets": [asdict(row) for row in rows],
        "problems": [asdict(problem) for problem in problems],
    }


def _given(name: str, setting: SecretSetting, stack: str, found: Found, known: Known) -> Row:
    state, detail = "set", ""
    if found.problem:
        detail = found.problem.found
        state = _STATES.get(detail, "weak") if found.secret or detail == "nothing" else "unreadable"
    changed = found.secret.changed if found.secret else None
    return Row(
        name=name,
        source=setting.source,
        where=_place(name, setting, stack),
        state=state,
        detail=detail,
        changed=changed.strftime("%Y-%m-%dT%H:%M:%SZ") if changed else None,
        readers=list(known.readers.get(name, [])),
    )


def _generated(name: str, setting: SecretSetting, known: Known) -> Row:
    made = known.generated.get(name)
    generation = int(made.get("generation") or 1) if made else 0
    state = "set" if generation == setting.generation else "to rotate" if made else "to make"
    detail = "" if state != "to rotate" else f"generation {generation}, wanted {setting.generation}"
    changed = (made or {}).get("made_at")
    return Row(name, "generated", "state", state, detail, changed, list(known.readers.get(name, [])))


def _place(name: str, setting: SecretSetting, stack: str) -> str:
    places = {
        "config": f"Pulumi.{stack}.yaml",
        "environment": f"${name}",
        "aws": f"{setting.id}#{setting.key}" if setting.key else str(setting.id),
        "vault": f"{setting.path}#{setting.key or name}",
    }
    return places[setting.source]
