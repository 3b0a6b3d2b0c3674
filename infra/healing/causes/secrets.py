"""Causes in secrets and in the environment: what is missing, altered, or does not fit. Names only, never a value."""

from __future__ import annotations

__all__ = ["CAUSES", "lookup_evidence", "unset_variable"]

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from infra.healing.causes.environment import FIELD, altered, errors_told
from infra.healing.matching import (
    Seen,
    cause,
    failed,
    find_drift,
    first_line,
    lines_of,
    listed,
    proof,
    section,
    step_lines,
    text,
    words,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_PROBLEM = re.compile(r"([^\s:][^:]{0,200}(?::\d{1,6})?): ([A-Z][A-Z0-9_]{0,127}): (.{1,400}?); expected a secret\b")
_NOBODY = re.compile(r"(\S{1,400}):(\d{1,6}): ([A-Z][A-Z0-9_]{0,127}): nobody provides it")
_URL_EATS = re.compile(r"characters that the URL\b")
_STALE_ROLE = re.compile(r"(\S{1,120}) in (\S{1,120}) has another password than (\S{1,128})\Z")
_UNSET = re.compile(r".{0,200}?required variable ([A-Za-z_][A-Za-z0-9_]{0,127}) is missing a value")
_REQUIRED = re.compile(r"\s+(?:Field required|field required)\b")
_MUST_BE_SET = re.compile(r"([A-Z][A-Z0-9_]{2,127}) (?:environment variable )?must be set")
_UNSAFE = (
    ("host name", re.compile(r'.{0,300}?could not translate host name "[^"]{0,200}@')),
    ("port", re.compile(r"(?:ValueError: )?Port could not be cast to integer value as ")),
    ("interpolation", re.compile(r"(?:ValueError: )?invalid interpolation syntax in '[a-z+0-9]{1,30}://")),
)
_LOOK = "greenroom secrets check -s {stack}"


def _problems(situation: Situation) -> Iterator[tuple[str, str, str]]:
    """Yield (where, name, what is wrong) of every secret that the program refused before anything was touched."""
    for line in lines_of(lookup_evidence(situation, "CONFIGURATION")):
        found = _PROBLEM.match(line)
        if found:
            yield found[1], found[2], found[3]


def lookup_evidence(situation: Situation, *codes: str) -> str:
    """Return what the failure says, where it has one of these codes."""
    failure = failed(situation, *codes)
    return failure.evidence if failure else ""


def _secret_missing(situation: Situation) -> Iterator[Seen]:
    refused = [each for each in _problems(situation) if not _URL_EATS.match(each[2])]
    unlisted = filter(None, map(_NOBODY.match, lines_of(lookup_evidence(situation, "ENV_INCOMPLETE"))))
    wrong = [*refused, *((f"{each[1]}:{each[2]}", each[3], "nobody provides it") for each in unlisted)]
    if wrong:
        names = sorted({name for _, name, _ in wrong})
        shown = tuple(line for where, name, why in wrong[:12] for line in proof(where, f"{name}: {why}"))
        yield Seen(", ".join(names), shown, 0.98, {"names": names, "first": names[0]})
    has = words(section(situation, "env").get("names"))
    for service, error in errors_told(situation):
        name = _required(error)
        if name and has and name not in has and name not in situation.declared.env_names:
            yield Seen(name, proof(service, f"{name}: required, and not set"), 0.85, {"names": [name], "first": name})


def _required(error: Mapping[str, Any]) -> str:
    """Return the variable that an application says it can't do without."""
    following, message = lines_of(error.get("following")), text(error.get("message"))
    must = _MUST_BE_SET.match(message)
    if must:
        return must[1]
    if text(error.get("type")).endswith("ValidationError"):
        for name, why in pairwise(following):
            if FIELD.match(name) and _REQUIRED.match(why):
                return name.upper()
    return ""


def _password_unsafe(situation: Situation) -> Iterator[Seen]:
    for where, name, why in _problems(situation):
        if _URL_EATS.match(why):
            yield Seen(name, proof(where, f"{name}: {why}"), 0.98, {"service": "the stack"})
    for service, error in errors_told(situation):
        line = text(error.get("line_text")) or text(error.get("message"))
        candidates = [line, text(error.get("message"))]
        for what, pattern in _UNSAFE:
            if first_line(pattern, candidates):
                # The line itself holds the URL, and with it the password: only its kind is told.
                yield Seen(
                    "DATABASE_URL",
                    proof(service, f"{error.get('type')}: the {what} of the URL"),
                    0.85,
                    {"service": service},
                )
    for what, pattern in _UNSAFE:
        if first_line(pattern, step_lines(failed(situation, "MIGRATION_FAILED"))):
            yield Seen(
                "DATABASE_URL", proof("migrate", f"the {what} of the database's URL"), 0.85, {"service": "migrate"}
            )


def _db_password_differs(situation: Situation) -> Iterator[Seen]:
    if altered(situation):
        return  # the role is compared with an env file that is not the rendered one
    states = section(situation, "database").get("passwords")
    roles = {text(each.get("secret")): each for each in listed(list(situation.declared.databases))}
    for secret, state in states.items() if isinstance(states, dict) else ():
        if state == "differs":
            role = roles.get(secret, {})
            named = {"role": role.get("role", "the role"), "service": role.get("service", "the database")}
            yield Seen(secret, proof("database", f"{named['role']}: another password than {secret}"), 0.97, named)
    for each in find_drift(situation, _STALE_ROLE):
        found = _STALE_ROLE.match(text(each.get("what")))
        if found:
            yield Seen(found[3], proof("drift", each.get("what")), 0.97, {"role": found[1], "service": found[2]})


def unset_variable(situation: Situation) -> str:
    """Return the variable that compose misses, by its own message."""
    said = [
        *lines_of(lookup_evidence(situation, "COMPOSE_INVALID")),
        *lines_of(section(situation, "compose").get("error")),
    ]
    found = first_line(_UNSET, said)
    return found[1] if found else ""


CAUSES = (
    cause(
        "SECRET_MISSING",
        _secret_missing,
        rows="U47 F01 F02 U23",
        stage="secrets",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="Secrets that only a person can give are missing or no secrets: {subject}",
        impact="The deployment stopped before anything was touched; what runs goes on as it was.",
        role="system administrator",
        next_steps=(
            "greenroom secrets list -s {stack}   # where each one comes from, and which are missing",
            "greenroom secrets set {first} -s {stack}   # for each of: {subject}; the value comes from standard input",
            _LOOK,
            "greenroom up -s {stack}",
        ),
    ),
    cause(
        "PASSWORD_UNSAFE",
        _password_unsafe,
        rows="U15 R03 R04",
        stage="secrets",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="A password breaks the URL that it stands in: {subject}",
        impact="What connects by that URL fails, maybe only in part: the application may work, and migrations not.",
        role="system administrator",
        next_steps=(
            "write {{ NAME | url }} instead of {{ NAME }} in the URL under greenroom:environment, Pulumi.{stack}.yaml",
            "or give a password of A-Z a-z 0-9 . _ ~ - alone: greenroom secrets set POSTGRES_PASSWORD -s {stack}",
            _LOOK,
            "greenroom up -s {stack}",
        ),
    ),
    cause(
        "DB_PASSWORD_DIFFERS",
        _db_password_differs,
        rows="F82",
        stage="secrets",
        verdict=Verdict.GUARD,
        severity="high",
        title="{role} in {service} has another password than {subject}",
        impact="Services that use {subject} can't connect to the database.",
        role="system administrator",
        next_steps=(
            _LOOK,
            "declare the role under greenroom:secrets.{subject}.database in Pulumi.{stack}.yaml, where it is not",
            "greenroom up -s {stack} --refresh   # gives the role the declared password; the data stays",
        ),
        remedy="converge",
    ),
)
