"""Causes in the env file and its values. Names only, never a value."""

from __future__ import annotations

__all__ = ["CAUSES", "FIELD", "altered", "errors_told"]

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from infra.healing.causes.logged import of_ill_services
from infra.healing.matching import (
    Seen,
    cause,
    errors_of,
    find_drift,
    lines_of,
    proof,
    section,
    text,
    words,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_ENV_FILE = re.compile(
    r"(/\S{1,400}?)(?:: (changed|removed|added) ([A-Za-z_][A-Za-z0-9_]{0,127})| is missing| has | belongs )"
)
_SETTINGS_ERROR = re.compile(r'error parsing value for field "([a-z_0-9]{1,80})"')
_VALIDATION = re.compile(r"\d{1,4} validation errors? for \w{0,60}(?:Settings|Config)\b")
FIELD = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,80})\Z")
_UNFIT = re.compile(r"\s+((?:String|Input|Value|List) (?:should|error)\b[^\[]{0,160})")


def errors_told(situation: Situation) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the errors of each service that is ill or still starting, and those of the failed step."""
    yield from of_ill_services(situation, starting=True)
    if situation.failure is not None:
        yield from ((situation.failure.phase or "step", error) for error in errors_of(situation))


def altered(situation: Situation) -> list[str]:
    """Return what is not as it was rendered about the env file, in words; empty where nothing is known to be."""
    env, git = section(situation, "env"), section(situation, "git")
    if git.get("is_checkout") is False:  # then it is missing for another reason
        return []
    found = [each for each in find_drift(situation, _ENV_FILE) if each.get("type") == "EnvFile"]
    wrong = [text(each.get("what")) for each in found]
    declared = set(situation.declared.secret_sources) | set(situation.declared.env_names)
    if env.get("exists") is False and git.get("is_checkout") and declared:
        wrong.append(f"{env.get('path')} is missing")
    elif env.get("exists"):
        missing = words(env.get("missing"))
        filled = [each for each in words(env.get("placeholders")) if each in declared]
        empty = [each for each in words(env.get("empty")) if each in situation.declared.secret_sources]
        wrong += [f"{env.get('path')}: removed {name}" for name in missing]
        wrong += [f"{env.get('path')}: {name} is a placeholder" for name in filled]
        wrong += [f"{env.get('path')}: {name} is empty" for name in empty]
    return list(dict.fromkeys(wrong))


def _env_file_altered(situation: Situation) -> Iterator[Seen]:
    wrong = altered(situation)
    if wrong:
        shown = tuple(line for each in wrong[:12] for line in proof("env file", each))
        yield Seen(situation.declared.env_file, shown, 0.97, {"altered": "; ".join(wrong[:12])})


def _env_setting_bad(situation: Situation) -> Iterator[Seen]:
    for service, error in errors_told(situation):
        kind, message = text(error.get("type")), text(error.get("message"))
        settings = _SETTINGS_ERROR.match(message) if kind.endswith("SettingsError") else None
        if settings:
            line = f"{kind}: error parsing value for field {settings[1]}"
            yield Seen(settings[1].upper(), proof(service, line), 0.85, {"service": service})
        elif kind.endswith("ValidationError") and _VALIDATION.match(message):
            for field, why in pairwise(lines_of(error.get("following"))):
                unfit = _UNFIT.match(why)
                if FIELD.match(field) and unfit:
                    yield Seen(field.upper(), proof(service, f"{field}: {unfit[1]}"), 0.85, {"service": service})


CAUSES = (
    cause(
        "ENV_FILE_ALTERED",
        _env_file_altered,
        rows="U47 R01 R06 R07",
        stage="secrets",
        verdict=Verdict.HEAL,
        severity="high",
        title="The env file {subject} on the host is not the one that was rendered: {altered}",
        impact="Services that start from it get other values than declared, or none.",
        role="devops",
        next_steps=(
            "greenroom drift -s {stack}   # which variables differ, since when",
            "greenroom up -s {stack} --refresh   # renders it anew from settings and secrets",
        ),
        remedy="converge",
    ),
    cause(
        "ENV_SETTING_BAD",
        _env_setting_bad,
        rows="R06 R07",
        stage="secrets",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The application does not accept the value of {subject}",
        impact="{service} does not start; the value is the declared one, so writing it again does not help.",
        role="devops",
        next_steps=(
            "greenroom logs -s {stack} {service}   # what it expects of {subject}",
            "change greenroom:environment.{subject} in Pulumi.{stack}.yaml (a list as a list)",
            "greenroom preview -s {stack} && greenroom up -s {stack}",
        ),
    ),
)
