"""Causes in the directories that containers write to, seen from both sides: the owner outside, the user inside."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING

from infra.healing.causes.claims import said_by_docker
from infra.healing.causes.containers import is_ill
from infra.healing.causes.logged import explaining
from infra.healing.causes.migrations import MIGRATING
from infra.healing.matching import (
    Seen,
    cause,
    failed,
    find_drift,
    first_line,
    listed,
    lookup,
    proof,
    section,
    services,
    step_lines,
    text,
    the_error,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Situation

_DENIED = re.compile(r"\[Errno 13\] Permission denied: '([^'\n]{1,400})'")
_NODE_DENIED = re.compile(r"EACCES: permission denied, [a-z]{1,20} '([^'\n]{1,400})'")
_NO_SOURCE = re.compile(r".{0,300}?bind source path does not exist: (/[^\s\"']{1,400})")
_DAEMON = "Error response from daemon: "
_OWNER = re.compile(
    r"(/\S{1,400}?)(?: is missing| belongs to | has mode | has another mode or owner| is \S{1,80}'s\b| is no directory)"
)


def _problems(situation: Situation) -> Iterator[tuple[str, str]]:
    """Yield (path, what is wrong with it) of each declared directory, by structured facts alone."""
    for each in find_drift(situation, _OWNER):
        found = _OWNER.match(text(each.get("what")))
        if found and each.get("type") == "Checkout" and found[1] in situation.declared.directories:
            yield found[1], text(each.get("what"))
    facts = section(situation, "directories")
    is_cloned = bool(section(situation, "git").get("head"))
    for path in situation.declared.directories:
        fact = facts.get(path)
        if not isinstance(fact, dict):
            continue
        if fact.get("exists") is False and is_cloned:
            yield path, f"{path} is missing"
        for service, user in _users(situation, path):
            if fact.get("exists") and user and str(fact.get("uid")) != user:
                yield path, f"{path} belongs to {fact.get('uid')}, and {service} runs as {user}"


def _users(situation: Situation, path: str) -> Iterator[tuple[str, str]]:
    """Yield (service, the number of its user) of each service that mounts the path and is not well."""
    for name, each in services(situation).items():
        user = text(each.get("user")).split(":")[0]
        mounted = any(mount.get("source") == path for mount in listed(each.get("mounts")))
        if mounted and user.isdigit() and user != "0" and (denied(situation, name) or each.get("state") != "running"):
            yield name, user


def denied(situation: Situation, service: str) -> str:
    """Return the path that a service may not write to, by its own first error; empty where that is another one."""
    error = the_error(situation, service)
    is_denied = error.get("type") == "PermissionError" or error.get("code") == "EACCES"
    if is_denied and error in explaining(situation, service):
        message = text(error.get("message"))
        found = _DENIED.match(message) or _NODE_DENIED.match(message)
        return found[1] if found else ""
    return ""


def _directory_owner(situation: Situation) -> Iterator[Seen]:
    for path, why in _problems(situation):
        yield Seen(path, proof("directories", why), 0.97, {"reason": why})


def _directory_undeclared(situation: Situation) -> Iterator[Seen]:
    declared = situation.declared.directories
    for name, each in services(situation).items():
        path = denied(situation, name)
        if not path or not (is_ill(situation, name) or each.get("health") == "starting"):
            continue
        behind = [mount for mount in listed(each.get("mounts")) if _holds(text(mount.get("target")), path)]
        source = text(behind[0].get("source")) if behind else ""
        if source not in declared:
            where = f"{source} (mounted at {text(behind[0].get('target'))})" if source else f"{path} of the image"
            yield Seen(
                source or path,
                proof(name, lookup(each, "first_error", "line_text")),
                0.9,
                {"service": name, "where": where},
            )
    missing = first_line(_NO_SOURCE, _refused(situation))
    if missing and missing[1] not in declared:
        yield Seen(missing[1], proof("docker", missing.string), 0.97, {"service": "a service", "where": missing[1]})


def _refused(situation: Situation) -> list[str]:
    """Return what Docker said of a container that it did not make.

    Of a migration that is its last line: nothing ran in the container that could have said it.
    """
    last = step_lines(failed(situation, *MIGRATING))[-1:]
    return [*said_by_docker(situation), *(line for line in last if line.startswith(_DAEMON))]


def _holds(target: str, path: str) -> bool:
    return bool(target) and (path == target or path.startswith(f"{target.rstrip('/')}/"))


CAUSES = (
    cause(
        "DIRECTORY_OWNER",
        _directory_owner,
        rows="R12 U39",
        stage="compose",
        verdict=Verdict.HEAL,
        severity="high",
        title="The directory {subject} is not as its containers need it: {reason}",
        impact="Services that write to it crash, or lose what they write.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- ls -ldn {subject}",
            "greenroom up -s {stack} --refresh   # makes it, with the declared owner; what is in it stays as it is",
        ),
        remedy="converge",
    ),
    cause(
        "DIRECTORY_UNDECLARED",
        _directory_undeclared,
        rows="R12 U39",
        stage="compose",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="{service} writes to {where}, which nobody has declared",
        impact="{service} does not start, or loses what it writes. Directories that are not declared are not touched.",
        role="devops",
        next_steps=(
            "add it to greenroom:workload.directories in Pulumi.{stack}.yaml with the number of the container's user",
            "or mount a volume there in {compose_file}; a directory of the image has to be made in its Dockerfile",
            "greenroom up -s {stack}",
        ),
    ),
)
