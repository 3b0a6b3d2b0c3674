"""Causes in a service's own life: stopped, hung, out of memory, or ended by an error of its own."""

from __future__ import annotations

__all__ = [
    "CAUSES",
    "FRESH_S",
    "LOGS",
    "NOT_FOUND",
    "NOT_THERE",
    "SLOW_CHECK",
    "has_crashed",
    "has_fresh_error",
    "is_ill",
    "is_oom",
    "is_silent",
]

import re
from typing import TYPE_CHECKING, Any

from infra.healing.matching import (
    Seen,
    cause,
    entries,
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
NOT_FOUND = re.compile(
    r"(?:curl: \(22\) .{0,80}?\b40[45]\b|.{0,200}?HTTP Error 40[45]\b"
    r"|.{0,120}?\b(?:404 Not Found|405 Method Not Allowed)"
    r"|wget: server returned error: HTTP/\S{1,4} 40[45]|.{0,80}?(?:status|answered) 40[45]\b)",
    re.DOTALL,
)
NOT_THERE = re.compile(r".{0,300}?(?:[Cc]onnection refused|Failed to connect to|ECONNREFUSED)", re.DOTALL)
SLOW_CHECK = re.compile(r"Health check exceeded timeout \(")
_KILLED = 137
_STARTING = ("SERVICE_CRASHED", "SERVICE_UNHEALTHY", "SERVICE_TIMEOUT")
_SETTLED_S = 30.0
FRESH_S = 300.0
"""For how long, in seconds, what was logged or happened counts as of now."""
_ONE_END_S = 5.0
"""How far the kernel's record of a kill and the engine's of the container's end may be apart."""
LOGS = "greenroom logs -s {stack} {subject}"


def _state(each: Mapping[str, Any]) -> str:
    return text(each.get("state"))


def is_oom(situation: Situation, each: Mapping[str, Any]) -> bool:
    """Tell whether the kernel has killed the container, or a process in it, for want of memory.

    Where the kernel's own record names the container, it decides, by its time: the engine's flag outlives a restart,
    and with cgroup v1 it is also set on running containers whose neighbour was killed. A container that is held still
    (paused, or frozen by a signal) is ill for that, whatever was killed in it before.
    """
    if _state(each) == "paused" or number(each.get("frozen")) > 0:
        return False
    kills = listed(section(situation, "kernel").get("oom"))
    ages = [
        number(kill.get("age_s")) for kill in kills if kill.get("container") and kill.get("container") == each.get("id")
    ]
    ended = number(each.get("ended_age_s"))
    if number(each.get("oom_kills")) > 0 or any(abs(age - ended) <= _ONE_END_S and age <= FRESH_S for age in ages):
        return True
    is_flagged = bool(each.get("oom_killed")) and number(each.get("exit_code")) == _KILLED
    return is_flagged and not ages and _state(each) != "running"


def is_silent(situation: Situation, each: Mapping[str, Any]) -> bool:
    """Tell whether a port that the service publishes takes a connection and gives no answer to any question."""
    for way in listed(each.get("published")):
        asked = lookup(section(situation, "http"), "ports", str(int(number(way.get("port")))))
        answers = [each for _, each in entries(asked)]
        if answers and all(answer.get("kind") in ("silent", "refused") for answer in answers):
            return True
    return False


def is_misdirected(output: str) -> bool:
    """Tell whether a health check failed for asking what is not there, or for its own deadline: see `web`."""
    return any(pattern.match(output) for pattern in (NOT_FOUND, NOT_THERE, SLOW_CHECK))


def has_fresh_error(situation: Situation, service: str) -> bool:
    """Tell whether an error was logged a short while ago: an older one does not explain what is wrong now."""
    own = services(situation).get(service, {})
    errors = [the_error(situation, service), *listed(own.get("recent"))]
    return any(bool(each) and number(each.get("age_s")) <= FRESH_S for each in errors)


def is_ill(situation: Situation, service: str) -> bool:
    """Tell whether a container is not well by its own state: ended, unhealthy, restarted a moment ago, or silent."""
    each = services(situation).get(service, {})
    state, health = _state(each), each.get("health")
    if not each or (state == "exited" and lookup(situation.declared.services, service, "state") == "exited"):
        return False
    restarted = number(each.get("restarts")) > 0 and number(each.get("age_s")) < FRESH_S and health != "healthy"
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
        if (state == "exited" and lookup(declared, name, "state") == "exited") or (declared and name not in declared):
            continue
        is_stopped = state in ("exited", "dead") and not has_crashed(situation, name) and not is_oom(situation, each)
        if is_stopped or state == "paused" or (state == "created" and not crashed and not text(each.get("error"))):
            ended = f"exit code {each.get('exit_code')}, since {each.get('finished_at')}"
            line = f"{each.get('container')}: {state}, {ended}"
            yield Seen(name, proof("docker inspect", line), 0.9, {"state": state, "container": each.get("container")})
    for name in declared:
        if name not in here:
            line = f"no container of service {name} in the project {situation.declared.project}"
            yield Seen(name, proof("docker ps -a", line), 0.9, {"state": "missing", "container": name})


def _service_hung(situation: Situation) -> Iterator[Seen]:
    for name, each in services(situation).items():
        frozen = number(each.get("frozen")) > 0
        is_other = is_oom(situation, each) or (has_fresh_error(situation, name) and not frozen)
        if _state(each) != "running" or is_other or not (frozen or _is_settled(each)):
            continue
        silent, unhealthy = is_silent(situation, each), each.get("health") == "unhealthy"
        said = text(lookup((listed(each.get("health_log")) or [{}])[-1], "output")).strip()
        if silent or (unhealthy and not is_misdirected(said)):
            why = "no answer on its port" if silent else f"its health check says: {said or 'nothing'}"
            sure = 0.95 if frozen else 0.9 if silent else 0.7
            line = f"{each.get('container')}: running, {each.get('health')}; {why}"
            yield Seen(name, proof("docker inspect", line), sure, {"container": each.get("container")})


def _is_settled(each: Mapping[str, Any]) -> bool:
    """Tell whether a container has had its time to start: by its own check, or else by its age."""
    health = each.get("health")
    return health in ("healthy", "unhealthy") or (health == "none" and number(each.get("age_s")) >= _SETTLED_S)


def _service_out_of_memory(situation: Situation) -> Iterator[Seen]:
    for name, each in services(situation).items():
        if is_oom(situation, each) and (is_ill(situation, name) or failed(situation, *_STARTING)):
            limit = f"{number(each.get('memory_bytes')) / 1024**2:.0f} MiB"
            line = f"{each.get('container')}: killed by the kernel at its limit of {limit}"
            yield Seen(name, proof("docker inspect", line), 0.96, {"limit": limit, "container": each.get("container")})


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
        next_steps=(LOGS, "greenroom up -s {stack} --refresh"),
        remedy="converge",
    ),
    cause(
        "SERVICE_OUT_OF_MEMORY",
        _service_out_of_memory,
        rows="",
        stage="compose",
        verdict=Verdict.HEAL,
        severity="high",
        title="The service {subject} was killed at its memory limit of {limit}",
        impact="What {subject} serves is down or interrupted.",
        role="devops",
        next_steps=(
            LOGS,
            "greenroom ssh -s {stack} -- docker stats --no-stream",
            "raise deploy.resources.limits.memory of {subject} in {compose_file} if it needs more, or look for a leak",
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
        title="The service {subject} runs, and does not answer as it should",
        impact="What {subject} serves is down.",
        role="devops",
        next_steps=(
            LOGS,
            "greenroom ssh -s {stack} -- docker top {container}",
            "greenroom ssh -s {stack} -- docker restart {container}",
        ),
        remedy="restart",
    ),
)
