"""Causes in the database and its schema, as its own server, the migration tool and the first error tell them."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING, Any

from infra.healing.causes.disks import fullness, is_data, no_space
from infra.healing.causes.migrations import MIGRATING
from infra.healing.matching import (
    Seen,
    cause,
    failed,
    first_line,
    lines_of,
    listed,
    lookup,
    number,
    proof,
    section,
    services,
    step_lines,
    text,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_LOCKED = re.compile(
    r".{0,200}?(?:canceling statement due to lock timeout|LockNotAvailable|could not obtain lock on|deadlock detected)"
)
_STARTING = re.compile(
    r".{0,400}?FATAL:  ?the database system is (?:starting up|in recovery mode|not yet accepting connections)"
)
_REFUSED = re.compile(
    r".{0,300}?(?:could not connect to server|connection to server at .{0,120} failed): Connection refused"
)
_TOO_MANY = re.compile(r".{0,400}?FATAL:  ?(?:sorry, too many clients already|remaining connection slots are reserved)")
_RESERVED = 3
_HELD_S = 5.0
_TIMED_OUT = 124


def _database_locked(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, "MIGRATION_FAILED", "JOB_DEADLINE")
    said = first_line(_LOCKED, step_lines(failure))
    servers = listed(section(situation, "database").get("servers"))
    blockers = [each for server in servers for each in listed(server.get("blockers"))]
    idle = [each for server in servers for each in listed(server.get("idle")) if number(each.get("age_s")) >= _HELD_S]
    waited = failure is not None and (blockers or (idle and failure.exit_status in (None, _TIMED_OUT)))
    if not (said or waited or any(number(each.get("age_s")) >= _HELD_S for each in blockers)):
        return
    holder: Mapping[str, Any] = next(iter([*blockers, *idle]), {})
    pid, age = holder.get("pid", "unknown"), number(holder.get("age_s"))
    held = f"pid {pid} ({holder.get('state', 'gone by now')}) since {age:.0f} s"
    shown = (*(proof("migrate", said.string) if said else ()), *proof("pg_blocking_pids", held))
    service = text(servers[0].get("service")) if servers else "the database"
    yield Seen("database", shown, 0.9, {"pid": pid, "age": f"{age:.0f} s", "holder": held, "service": service})


def _database_starting(situation: Situation) -> Iterator[Seen]:
    servers = listed(section(situation, "database").get("servers"))
    for server in servers:
        said = first_line(_STARTING, lines_of(server.get("error")))
        if said:
            yield Seen(text(server.get("service")), proof("psql", said.string), 0.95)
    said = first_line(_STARTING, step_lines(situation.failure)) or first_line(_REFUSED, step_lines(situation.failure))
    for role in listed(list(situation.declared.databases)):
        service = text(role.get("service"))
        if said and lookup(services(situation), service, "health") == "starting":
            yield Seen(service, proof("step", said.string), 0.85)
    by_itself = first_line(_STARTING, step_lines(failed(situation, *MIGRATING)))
    if by_itself and not servers:
        yield Seen("database", proof("migrate", by_itself.string), 0.8)


def _database_full_of_connections(situation: Situation) -> Iterator[Seen]:
    for server in listed(section(situation, "database").get("servers")):
        most, now = number(server.get("max_connections")), number(server.get("connections"))
        said = first_line(_TOO_MANY, lines_of(server.get("error")))
        if said or (most > _RESERVED and now >= most - _RESERVED):
            line = said.string if said else f"{now:.0f} of {most:.0f} connections in use"
            yield Seen(text(server.get("service")), proof("psql", line), 0.95, {"database": server.get("database", "")})


def _database_disk_full(situation: Situation) -> Iterator[Seen]:
    said = no_space(situation)
    for each, is_full in fullness(situation):
        path = text(each.get("path"))
        if is_data(path) and is_full:
            line = (
                f"{path}: {number(each.get('percent')):.0f} % used, {number(each.get('free_bytes')) / 1e6:.0f} MB free"
            )
            yield Seen(path, (*proof("disk", line), *(proof("step", said) if said else ())), 0.95)


CAUSES = (
    cause(
        "DATABASE_LOCKED",
        _database_locked,
        rows="F78",
        stage="migrate",
        verdict=Verdict.HEAL,
        severity="high",
        title="A lock in the database is held by {holder}",
        impact="The migration waits or gave up; what runs goes on with the old schema.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- docker compose -p {project} exec {service} psql",
            "look at pid {pid} in pg_stat_activity; end it where its owner agrees, by pg_terminate_backend({pid})",
            "greenroom up -s {stack}",
        ),
        remedy="wait",
    ),
    cause(
        "DATABASE_STARTING",
        _database_starting,
        rows="F76",
        stage="migrate",
        verdict=Verdict.HEAL,
        severity="low",
        title="The database {subject} is still starting",
        impact="What needs it has to wait.",
        role="devops",
        next_steps=("greenroom logs -s {stack} {subject}", "greenroom up -s {stack}"),
        remedy="wait",
    ),
    cause(
        "DATABASE_FULL_OF_CONNECTIONS",
        _database_full_of_connections,
        rows="F85",
        stage="migrate",
        verdict=Verdict.HEAL,
        severity="high",
        title="The database {subject} has no connection left",
        impact="New requests that need the database fail.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- docker compose -p {project} exec {subject} psql",
            "count pg_stat_activity by application_name and state: who holds them, and how many are idle",
            "restart the service that leaks them, or lower its pool; then greenroom up -s {stack}",
        ),
        remedy="wait",
    ),
    cause(
        "DATABASE_DISK_FULL",
        _database_disk_full,
        rows="F84",
        stage="migrate",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="The data volume at {subject} is full",
        impact="The database can't write. Nothing on the volume was removed; WAL never is.",
        role="system administrator",
        next_steps=(
            "greenroom ssh -s {stack} -- du -xh --max-depth=2 {subject} | sort -h | tail",
            "raise greenroom:volume.sizeGib in Pulumi.{stack}.yaml, then greenroom up -s {stack}",
            "look for what holds WAL back: replication slots, archive_command, a transaction that never ends",
        ),
    ),
)
