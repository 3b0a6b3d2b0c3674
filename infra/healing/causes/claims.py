"""Causes in what a container claims of the machine: a port, or a name, that somebody else has."""

from __future__ import annotations

__all__ = ["CAUSES", "STARTING", "said_by_docker"]

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
    step_lines,
    text,
    words,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_PORT = re.compile(
    r".{0,600}?(?:Bind for \S{1,80}:(\d{1,5}) failed: port is already allocated"
    r"|listen (?:tcp|udp)[46]? \S{0,80}:(\d{1,5}): bind: address already in use"
    r"|failed to bind host port (?:for )?\S{0,80}?:(\d{1,5})[:/]\S{0,80}: address already in use)"
)
_NAME = re.compile(r'.{0,300}?Conflict\. The container name "/?([A-Za-z0-9][A-Za-z0-9_.-]{0,127})" is already in use')
STARTING = ("SERVICE_CRASHED", "SERVICE_UNHEALTHY", "SERVICE_TIMEOUT", "COMPOSE_UP_FAILED", "SERVICE_MISSING")


_ENGINE = re.compile(r"Docker engine: \d{1,3}: ")
"""What Greenroom puts before the engine's own words; below them stands the application's log."""


def said_by_docker(situation: Situation) -> list[str]:
    """Return what compose or the engine said of the failed step; never what an application logged."""
    making, starting = failed(situation, "COMPOSE_UP_FAILED"), failed(situation, *STARTING)
    return step_lines(making) if making else [line for line in step_lines(starting) if _ENGINE.match(line)]


def _wanted_ports(situation: Situation) -> Iterator[tuple[int, str, str, bool]]:
    """Yield (port, service that wants it, the line that says so, whether a tool said it) of each that can't be had."""
    for line in said_by_docker(situation):
        found = _PORT.match(line)
        if found:
            yield int(next(each for each in found.groups() if each)), "", line, True
    for name, each in services(situation).items():
        found = _PORT.match(text(each.get("error")))
        if found:
            yield int(next(one for one in found.groups() if one)), name, text(each.get("error")), True
    for name, body in entries(section(situation, "compose").get("services")):
        if lookup(services(situation), name, "state") != "running":
            for way in words(body.get("published")):
                port = way.rpartition(":")[2]
                if port.isdigit():
                    yield int(port), name, f"service {name} publishes {way}", False


def _taken(situation: Situation) -> Iterator[tuple[int, str, Mapping[str, Any], str, bool]]:
    """Yield (port, service, owner, line, whether a tool said so), once a port."""
    listeners = situation.evidence.get("listeners")
    seen: set[int] = set()
    for port, service, line, said in _wanted_ports(situation):
        owners = [each for each in listed(listeners) if number(each.get("port")) == port]
        owner = next(
            (each for each in owners if each.get("container") or each.get("process")), owners[0] if owners else {}
        )
        if port in seen or (not said and not owner):
            continue
        seen.add(port)
        own = owner.get("project") == situation.declared.project
        if not (own and owner.get("service") == service):
            yield port, service, owner, line, said


def _is_leftover(situation: Situation, owner: Mapping[str, Any]) -> bool:
    """Tell whether a container is the project's, and not the one that a declared service has."""
    declared = lookup(situation.declared.services, text(owner.get("service")), "container")
    project = situation.declared.project
    return bool(project and owner.get("project") == project and owner.get("container") not in (None, "", declared))


def _owner(owner: Mapping[str, Any]) -> str:
    if owner.get("container"):
        project = owner.get("project")
        return f"container {owner['container']} of {f'the project {project}' if project else 'no compose project'}"
    if owner.get("process"):
        unit = f", {owner['unit']}" if owner.get("unit") else ""
        return f"process {owner['process']} (pid {owner.get('pid')}{unit})"
    return "something that no longer listens"


def _port_taken(situation: Situation) -> Iterator[Seen]:
    for port, service, owner, line, said in _taken(situation):
        if not _is_leftover(situation, owner):
            whose = _owner(owner)
            details = {"owner": whose, "service": service or "a service", "process": owner.get("process")}
            shown = (*proof("docker", line), *proof("ss -ltnp", f"port {port}: {whose}"))
            yield Seen(str(port), shown, 0.98 if said else 0.96, details)


def _port_taken_by_ours(situation: Situation) -> Iterator[Seen]:
    for port, service, owner, line, said in _taken(situation):
        if _is_leftover(situation, owner):
            project = situation.declared.project
            details = {"container": owner["container"], "project": project, "service": service or "a service"}
            shown = (*proof("docker", line), *proof("ss -ltnp", f"port {port}: {_owner(owner)}"))
            yield Seen(f"port {port}", shown, 0.98 if said else 0.96, details)


def _named(situation: Situation) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Yield (container's name, the container that has it, the line) of each name that can't be had."""
    everything = [*listed(section(situation, "containers").get("others")), *services(situation).values()]
    for line in said_by_docker(situation):
        found = _NAME.match(line)
        if found:
            holder = next((each for each in everything if each.get("container") == found[1]), {})
            yield found[1], holder, line
    here = services(situation)
    if section(situation, "containers").get("engine") == "":
        for service, declared in situation.declared.services.items():
            holder = next((each for each in everything if each.get("container") == declared.get("container")), None)
            if service not in here and holder:
                yield str(declared.get("container")), holder, f"service {service} has no container of its own"


def _name_taken(situation: Situation) -> Iterator[Seen]:
    for name, holder, line in _named(situation):
        if not holder or holder.get("project", situation.declared.project) != situation.declared.project:
            whose = f"the project {holder['project']}" if holder.get("project") else "no compose project"
            details = {"owner": whose, "state": holder.get("state", "unknown"), "image": holder.get("image", "unknown")}
            yield Seen(name, proof("docker", line), 0.98, details)


def _name_taken_by_ours(situation: Situation) -> Iterator[Seen]:
    project = situation.declared.project
    for name, holder, line in _named(situation):
        owner = holder.get("project", project if holder.get("service") else "")
        if holder and project and owner == project:
            yield Seen(f"the name {name}", proof("docker", line), 0.98, {"container": name, "project": project})


CAUSES = (
    cause(
        "PORT_TAKEN",
        _port_taken,
        rows="U19 F65",
        stage="compose",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="Port {subject}, which {service} publishes, is taken by {owner}",
        impact="The service can't start. Its holder is not ours, and was not touched.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- ss -ltnp sport = :{subject}",
            "have its owner stop it, or give {service} another port in {compose_file} and in greenroom:workload.routes",
            "greenroom up -s {stack} --refresh",
        ),
    ),
    cause(
        "PORT_TAKEN_BY_OURS",
        _port_taken_by_ours,
        rows="U19",
        stage="compose",
        verdict=Verdict.GUARD,
        severity="high",
        title="{subject}, which {service} publishes, is held by {container}, a leftover of {project}",
        impact="The service can't start.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- docker inspect {container}",
            "greenroom ssh -s {stack} -- docker rm --force {container}   # its volumes stay",
            "greenroom up -s {stack} --refresh",
        ),
        remedy="own-container",
    ),
    cause(
        "NAME_TAKEN",
        _name_taken,
        rows="U20",
        stage="compose",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The container name {subject} is taken by a container of {owner}",
        impact="The service can't be made. Its holder is not ours, and was not touched.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- docker inspect {subject}   # {state}, image {image}",
            "have its owner remove or rename it, or drop container_name from {compose_file}",
            "greenroom up -s {stack} --refresh",
        ),
    ),
    cause(
        "NAME_TAKEN_BY_OURS",
        _name_taken_by_ours,
        rows="U20",
        stage="compose",
        verdict=Verdict.GUARD,
        severity="high",
        title="{subject} is held by a leftover container of {project}",
        impact="The service can't be made.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- docker inspect {container}",
            "greenroom ssh -s {stack} -- docker rm --force {container}   # its volumes stay",
            "greenroom up -s {stack} --refresh",
        ),
        remedy="own-container",
    ),
)
