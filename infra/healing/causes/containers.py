"""Causes in a service's own life: stopped, hung, out of memory, or ended by an error of its own."""

from __future__ import annotations

__all__ = ["CAUSES", "is_ill"]

import re
from typing import TYPE_CHECKING, Any

from infra.healing.causes.directories import denied
from infra.healing.matching import (
    Seen,
    cause,
    failed,
    listed,
    lookup,
    number,
    proof,
    section,
    services,
    text,
    the_error,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_BY_SIGNAL = frozenset({0, 129, 130, 137, 143})
"""Ended by somebody else's HUP, INT, KILL or TERM, or as asked."""
_IMPORTS = ("ModuleNotFoundError", "ImportError")
_NODE_IMPORTS = ("MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND")
_NO_DIRECTORY = re.compile(r"Directory '([^'\n]{1,300})' does not exist")
_MODULE = re.compile(r"(?:No module named|cannot import name|Cannot find (?:module|package)) '?([^'\s]{1,200})")
_SETTLED_S = 30.0
_FRESH_S = 120.0


def _state(each: Mapping[str, Any]) -> str:
    return text(each.get("state"))


def is_oom(situation: Situation, each: Mapping[str, Any]) -> bool:
    """Tell whether the kernel has killed the container, or a process in it, for want of memory."""
    kills = listed(section(situation, "kernel").get("oom"))
    return (
        bool(each.get("oom_killed"))
        or number(each.get("oom_kills")) > 0
        or any(kill.get("container") == each.get("id") and kill.get("container") for kill in kills)
    )


def is_silent(situation: Situation, each: Mapping[str, Any]) -> bool:
    """Tell whether a port that the service publishes takes a connection and gives no answer to any question."""
    for way in listed(each.get("published")):
        asked = lookup(section(situation, "http"), "ports", str(int(number(way.get("port")))))
        answers = listed(list(asked.values())) if isinstance(asked, dict) else []
        if answers and all(answer.get("kind") in ("silent", "refused") for answer in answers):
            return True
    return False


def is_ill(situation: Situation, service: str) -> bool:
    """Tell whether a container is not well by its own state: ended, unhealthy, restarted a moment ago, or silent."""
    each = services(situation).get(service, {})
    state, health = _state(each), each.get("health")
    if not each or (state == "exited" and lookup(situation.declared.services, service, "state") == "exited"):
        return False
    restarted = number(each.get("restarts")) > 0 and number(each.get("age_s")) < _FRESH_S and health != "healthy"
    return (
        state != "running"
        or health == "unhealthy"
        or restarted
        or (health != "starting" and is_silent(situation, each))
    )


def has_crashed(situation: Situation, service: str) -> bool:
    """Tell whether a service ended, or ends again and again, by an exit status of its own."""
    each = services(situation).get(service, {})
    if is_oom(situation, each):
        return False
    if _state(each) in ("exited", "restarting", "dead"):
        status = number(each.get("exit_code"))
        return status not in _BY_SIGNAL or (_state(each) == "restarting" and bool(the_error(situation, service)))
    return is_ill(situation, service) and number(each.get("restarts")) > 0 and bool(the_error(situation, service))


def _service_stopped(situation: Situation) -> Iterator[Seen]:
    here, declared = services(situation), situation.declared.services
    if section(situation, "containers").get("engine") != "":
        return
    crashed = any(has_crashed(situation, name) or here[name].get("health") == "unhealthy" for name in here)
    for name, each in here.items():
        state = _state(each)
        if state == "exited" and lookup(declared, name, "state") == "exited":
            continue
        is_stopped = state in ("exited", "dead") and not has_crashed(situation, name) and not is_oom(situation, each)
        if is_stopped or state == "paused" or (state == "created" and not crashed and not text(each.get("error"))):
            line = (
                f"{each.get('container')}: {state}, exit code {each.get('exit_code')}, since {each.get('finished_at')}"
            )
            yield Seen(name, proof("docker inspect", line), 0.95, {"state": state, "container": each.get("container")})
    for name in declared:
        if name not in here:
            line = f"no container of service {name} in the project {situation.declared.project}"
            yield Seen(name, proof("docker ps -a", line), 0.95, {"state": "missing", "container": name})


def _service_hung(situation: Situation) -> Iterator[Seen]:
    for name, each in services(situation).items():
        if _state(each) != "running" or the_error(situation, name) or is_oom(situation, each):
            continue
        if each.get("health") == "starting" or number(each.get("age_s")) < _SETTLED_S * (each.get("health") == "none"):
            continue
        silent = is_silent(situation, each)
        if silent or (each.get("health") == "unhealthy" and not _answers(situation, each)):
            last = listed(each.get("health_log"))[-1:] or [{}]
            line = f"{each.get('container')}: running, {each.get('health')}; {'no answer on its port' if silent else last[0].get('output')}"
            yield Seen(
                name, proof("docker inspect", line), 0.9 if silent else 0.8, {"container": each.get("container")}
            )


def _answers(situation: Situation, each: Mapping[str, Any]) -> bool:
    """Tell whether a published port answers anything at all."""
    ports = [str(int(number(way.get("port")))) for way in listed(each.get("published"))]
    asked = [lookup(section(situation, "http"), "ports", port) for port in ports]
    return any(
        answer.get("kind") == "answer"
        for one in asked
        if isinstance(one, dict)
        for answer in listed(list(one.values()))
    )


def _service_out_of_memory(situation: Situation) -> Iterator[Seen]:
    for name, each in services(situation).items():
        if is_oom(situation, each) and (is_ill(situation, name) or situation.failure is not None):
            limit = number(each.get("memory_bytes")) / 1024**2
            line = f"{each.get('container')}: killed by the kernel at its limit of {limit:.0f} MiB, exit code {each.get('exit_code')}"
            yield Seen(
                name,
                proof("docker inspect", line),
                0.95,
                {"limit": f"{limit:.0f} MiB", "container": each.get("container")},
            )


def _ill_errors(situation: Situation) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in services(situation):
        error = the_error(situation, name)
        if error and is_ill(situation, name):
            yield name, error


def _app_import_failed(situation: Situation) -> Iterator[Seen]:
    for name, error in _ill_errors(situation):
        if error.get("type") in _IMPORTS or error.get("code") in _NODE_IMPORTS:
            found = _MODULE.match(text(error.get("message")))
            place = f"{error.get('file')}:{error.get('line')}"
            details = {
                "module": found[1] if found else "a module",
                "place": place,
                "line": text(error.get("line_text")),
            }
            yield Seen(name, (*proof(name, error.get("line_text")), *proof(name, place)), 0.95, details)


def _app_directory_missing(situation: Situation) -> Iterator[Seen]:
    for name, error in _ill_errors(situation):
        found = _NO_DIRECTORY.match(text(error.get("message")))
        if found and error.get("type") == "RuntimeError":
            yield Seen(name, proof(name, error.get("line_text")), 0.95, {"path": found[1]})


def _app_crashed(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, "SERVICE_CRASHED")
    for name, each in services(situation).items():
        error = the_error(situation, name)
        ended = has_crashed(situation, name)
        if denied(situation, name) or not (ended or (error and is_ill(situation, name))):
            continue
        last = [line for line in each.get("log") or [] if isinstance(line, str) and line.strip()][-1:]
        line = text(error.get("line_text")) or (last[0] if last else "it said nothing")
        details = {"line": line[:300], "exit_code": each.get("exit_code"), "container": each.get("container")}
        state = f"{each.get('container')}: {_state(each)}, exit code {each.get('exit_code')}, {each.get('restarts')} restarts"
        yield Seen(name, (*proof("docker inspect", state), *proof(name, line)), 0.8 if ended else 0.7, details)
    if failure is not None and not services(situation):
        yield Seen(
            failure.resource,
            proof("start", failure.command),
            0.6,
            {"line": failure.command, "exit_code": failure.exit_status},
        )


_LOGS = "greenroom logs -s {stack} {subject}"
_CODE = "mend it in {repository} ({branch}) and push, then greenroom up -s {stack}"

CAUSES = (
    cause(
        "SERVICE_STOPPED",
        _service_stopped,
        rows="",
        stage="compose",
        verdict=Verdict.HEAL,
        severity="high",
        title="The service {subject} does not run: its container is {state}",
        impact="What {subject} serves is down, and what depends on it.",
        role="devops",
        next_steps=(_LOGS, "greenroom up -s {stack} --refresh"),
        remedy="converge",
    ),
    cause(
        "SERVICE_OUT_OF_MEMORY",
        _service_out_of_memory,
        rows="F38",
        stage="compose",
        verdict=Verdict.HEAL,
        severity="high",
        title="The service {subject} was killed at its memory limit of {limit}",
        impact="What {subject} serves is down or interrupted.",
        role="devops",
        next_steps=(
            _LOGS,
            "greenroom ssh -s {stack} -- docker stats --no-stream",
            "raise deploy.resources.limits.memory of {subject} in {compose_file}, if it needs more; else look for a leak",
            "greenroom up -s {stack}",
        ),
        remedy="restart",
    ),
    cause(
        "SERVICE_HUNG",
        _service_hung,
        rows="",
        stage="health",
        verdict=Verdict.HEAL,
        severity="high",
        title="The service {subject} runs and does not answer",
        impact="What {subject} serves is down.",
        role="devops",
        next_steps=(
            _LOGS,
            "greenroom ssh -s {stack} -- docker top {container}",
            "greenroom ssh -s {stack} -- docker restart {container}",
        ),
        remedy="restart",
    ),
    cause(
        "APP_IMPORT_FAILED",
        _app_import_failed,
        rows="U04 U37",
        stage="health",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="The service {subject} can't import {module}",
        impact="{subject} does not serve, although its container may be up. Restarting it does not help.",
        role="devops",
        next_steps=(
            "{place}: {line}",
            "add the package to the image's requirements, or mend the import; a user's packages need a home in the image",
            _CODE,
        ),
    ),
    cause(
        "APP_DIRECTORY_MISSING",
        _app_directory_missing,
        rows="U39",
        stage="health",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The service {subject} wants the directory {path}, which its image does not have",
        impact="{subject} does not start. Restarting it does not help.",
        role="devops",
        next_steps=(
            "git does not keep empty directories: add {path}/.gitkeep, or make it in the Dockerfile",
            _CODE,
        ),
    ),
    cause(
        "APP_CRASHED",
        _app_crashed,
        rows="F68 U09",
        stage="health",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="The service {subject} ends by an error of its own: {line}",
        impact="What {subject} serves is down. Restarting it does not help.",
        role="devops",
        next_steps=(
            _LOGS,
            "git -C {directory} show --stat {commit}   # what the commit changed",
            _CODE,
            "or stay on the last good commit: greenroom:workload.commit in Pulumi.{stack}.yaml",
        ),
    ),
)
