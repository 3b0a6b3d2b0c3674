"""Causes in the compose project: its file, ports, names, directories, and containers that are not as they were made."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING

from infra.healing.causes.claims import STARTING
from infra.healing.causes.secrets import unset_variable
from infra.healing.matching import (
    Seen,
    cause,
    failed,
    find_drift,
    first_line,
    lines_of,
    proof,
    section,
    services,
    step_lines,
    text,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Situation

_DEPENDENCY = re.compile(
    r"(?:ERROR: )?dependency failed to start: container (\S{1,128}) (is unhealthy|exited \(\d{1,3}\))"
)
_ALTERED = re.compile(
    r"service (\S{1,63}) (?:runs with another configuration|has another limit|runs another image)"
    r"|service (\S{1,63}) is not one of the project's"
    r"|image (\S{1,300}) is (?:another one|missing)\Z"
)


def _compose_file_bad(situation: Situation) -> Iterator[Seen]:
    failure, found = failed(situation, "COMPOSE_INVALID"), section(situation, "compose")
    declared = situation.declared
    if unset_variable(situation) in declared.env_names and unset_variable(situation):
        return
    git, status = section(situation, "git"), found.get("exit_status")
    is_known = bool(git.get("head")) and section(situation, "env").get("exists") is not False
    lines = step_lines(failure) or (lines_of(found.get("error")) if status in (1, 14, 15) and is_known else [])
    lines = [
        line for line in lines if line.strip() and not line.startswith(("time=", "docker: 'compose'", "unknown flag"))
    ]
    if lines:
        yield Seen(declared.compose_file, proof("docker compose config", lines[-1]), 0.98, {"reason": lines[-1][:300]})


def _compose_unconfined(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, "COMPOSE_UNCONFINED")
    if failure is not None:
        lines = step_lines(failure)[:12]
        shown = tuple(line for each in lines for line in proof(situation.declared.compose_file, each))
        yield Seen(situation.declared.compose_file, shown, 0.99, {"reason": "; ".join(lines)[:600]})


def _container_altered(situation: Situation) -> Iterator[Seen]:
    if failed(situation, *STARTING):
        return  # a release that does not start is not on record yet: its containers differ from the one before
    for each in find_drift(situation, _ALTERED):
        found = _ALTERED.match(text(each.get("what")))
        yield Seen(
            next((one for one in found.groups() if one), "") if found else "", proof("drift", each.get("what")), 0.9
        )
    known, here = situation.declared.services, services(situation)
    for name, each in here.items() if known else ():
        if name not in known:
            line = f"container {each.get('container')}: service {name} is none of {situation.declared.project}"
            yield Seen(name, proof("docker", line), 0.85)


def _dependency_unhealthy(situation: Situation) -> Iterator[Seen]:
    found = first_line(_DEPENDENCY, step_lines(failed(situation, *STARTING)))
    if found:
        yield Seen(found[1], proof("docker compose", found.string), 0.8)
    failure = failed(situation, "SERVICE_TIMEOUT")
    if failure is not None and not found:
        yield Seen(failure.resource or "compose", proof("start", failure.command), 0.4)


CAUSES = (
    cause(
        "COMPOSE_FILE_BAD",
        _compose_file_bad,
        rows="F64 U35",
        stage="compose",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="docker compose can't use {subject}: {reason}",
        impact="No service can be changed; those that run go on.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- docker compose --env-file {env_path} -f {directory}/{compose_file} config -q",
            "mend it in {repository} ({branch}), or set greenroom:workload.composeFile in Pulumi.{stack}.yaml",
            "greenroom up -s {stack}",
        ),
    ),
    cause(
        "COMPOSE_UNCONFINED",
        _compose_unconfined,
        rows="",
        stage="compose",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="{subject} opens the machine to a container: {reason}",
        impact="Nothing of it was started; those that run go on.",
        role="devops",
        next_steps=(
            "take it out of {compose_file}, or give a waiver under greenroom:waivers in Pulumi.{stack}.yaml",
            "greenroom up -s {stack}",
        ),
    ),
    cause(
        "CONTAINER_ALTERED",
        _container_altered,
        rows="",
        stage="compose",
        verdict=Verdict.HEAL,
        severity="medium",
        title="{subject} is not as it was made: configuration, image or limits were changed by hand",
        impact="What runs is not what is declared.",
        role="devops",
        next_steps=("greenroom drift -s {stack}", "greenroom up -s {stack} --refresh   # makes it anew"),
        remedy="converge",
    ),
    cause(
        "DEPENDENCY_UNHEALTHY",
        _dependency_unhealthy,
        rows="R13 F73",
        stage="compose",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="Services wait for {subject}, which does not become healthy",
        impact="What depends on it does not start.",
        role="devops",
        next_steps=("greenroom logs -s {stack}   # the first error of the service that is waited for",),
        symptom=True,
    ),
)
