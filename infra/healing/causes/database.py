"""Causes in the database and its schema, as its own server, the migration tool and the first error tell them."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING, Any

from infra.commands.migrations import parse_current
from infra.healing.causes.bootstrap import fullness, is_data, no_space
from infra.healing.causes.containers import is_ill
from infra.healing.matching import (
    Seen,
    cause,
    failed,
    find_drift,
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
    the_error,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_MIGRATING = ("MIGRATION_FAILED", "MIGRATION_INCOMPLETE")
_HEADS = re.compile(r"(?:FAILED: |.{0,120}?MultipleHeads?: )?Multiple head revisions are present")
_HEAD = re.compile(r"([A-Za-z0-9_]{1,64}) \((?:head|effective head)\)")
_CONFIG = re.compile(
    r"FAILED: (?:No config file '[^']{1,300}' found|Path doesn't exist: '?[^'\n]{1,300}'?|No 'script_location' key found)"
    r"|(?:FAILED: )?No 'script_location' key found"
)
_UNDEFINED = re.compile(r"(?:\S{0,120}\.)?(UndefinedTable|UndefinedColumn|UndefinedObject)\b")
_RELATION = re.compile(
    r".{0,200}?(?:relation|column) \"?([A-Za-z0-9_.]{1,128})\"? (?:of relation \S{1,128} )?does not exist"
)
_ENUM = re.compile(r"'[^'\n]{1,200}' is not among the defined enum values")
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
_REVISION = re.compile(r"the schema is at revision (\S{1,200}) instead of (\S{1,200})\Z")
_RESERVED = 3
_HELD_S = 5.0


def _multiple_heads(situation: Situation) -> Iterator[Seen]:
    said = first_line(_HEADS, step_lines(failed(situation, *_MIGRATING)))
    printed = lines_of(lookup(section(situation, "database"), "schema", "heads", "stdout"))
    heads = sorted({found[1] for found in map(_HEAD.match, printed) if found})
    if said or len(heads) > 1:
        shown = ", ".join(heads) or "see alembic heads"
        line = said.string if said else f"heads: {shown}"
        yield Seen("alembic", proof("migrate", line), 0.97 if said else 0.8, {"heads": shown})


def _migration_config_missing(situation: Situation) -> Iterator[Seen]:
    said = first_line(_CONFIG, step_lines(failed(situation, *_MIGRATING)))
    if said:
        yield Seen("alembic.ini", proof("migrate", said.string), 0.95, {"message": said.string[:200]})
    error = the_error(situation) if failed(situation, *_MIGRATING) else {}
    if error.get("type") in ("ModuleNotFoundError", "ImportError"):
        line = text(error.get("line_text"))
        yield Seen("migrations", proof("migrate", line), 0.85, {"message": line[:200]})


def _schema_behind(situation: Situation) -> Iterator[Seen]:
    if failed(situation, *_MIGRATING) or not situation.declared.migrations:
        return
    wanted = text(situation.declared.migration.get("revision"))
    database = section(situation, "database")
    for each in find_drift(situation, _REVISION):
        found = _REVISION.match(text(each.get("what")))
        if found and found[1] not in ("unknown",):
            yield Seen("schema", proof("drift", each.get("what")), 0.95, {"revision": found[1], "wanted": found[2]})
    for server in listed(database.get("servers")):
        has = text(server.get("revision")) or "none"
        if server.get("answers") and wanted and has != wanted and server.get("database"):
            line = f"{server.get('database')}: revision {has}, expected {wanted}, {number(server.get('tables')):.0f} tables"
            yield Seen("schema", proof("database", line), 0.95, {"revision": has, "wanted": wanted})
    current = lookup(database, "schema", "current") or {}
    if isinstance(current, dict) and current.get("exit_status") == 0:
        seen = parse_current(text(current.get("stdout")))
        if not seen.is_head and (wanted or seen.name):
            details = {"revision": seen.name or "none", "wanted": wanted or "the head"}
            yield Seen("schema", proof("migration tool", f"current: {seen.name or 'none'}"), 0.9, details)


def _schema_drift(situation: Situation) -> Iterator[Seen]:
    candidates = [(name, the_error(situation, name)) for name in services(situation)]
    candidates += [("migrate", the_error(situation))] if failed(situation, *_MIGRATING) else []
    for name, error in candidates:
        kind, message = text(error.get("type")), text(error.get("message"))
        undefined = _UNDEFINED.match(kind) or _UNDEFINED.match(message.lstrip("("))
        enum = kind == "LookupError" and _ENUM.match(message)
        is_relevant = name == "migrate" or is_ill(situation, name) or situation.statements or situation.failure
        if (undefined or enum) and is_relevant:
            line = text(error.get("line_text"))
            found = _RELATION.match(message)
            yield Seen(found[1] if found else name, proof(name, line), 0.85, {"service": name, "line": line[:200]})


def _migration_failed(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, *_MIGRATING)
    if failure is not None:
        error = the_error(situation)
        lines = [line for line in step_lines(failure) if line.strip()]
        line = text(error.get("line_text")) or (lines[-1] if lines else failure.command)
        yield Seen("migrations", proof("migrate", line), 0.6, {"line": line[:300]})


def _database_locked(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, "MIGRATION_FAILED", "JOB_DEADLINE")
    said = first_line(_LOCKED, step_lines(failure))
    servers = listed(section(situation, "database").get("servers"))
    blockers = [each for server in servers for each in listed(server.get("blockers"))]
    idle = [each for server in servers for each in listed(server.get("idle")) if number(each.get("age_s")) >= _HELD_S]
    if not (
        said or (failure is not None and blockers) or any(number(each.get("age_s")) >= _HELD_S for each in blockers)
    ):
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
    by_itself = first_line(_STARTING, step_lines(failed(situation, *_MIGRATING)))
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
        if is_data(path) and (is_full or said):
            line = (
                f"{path}: {number(each.get('percent')):.0f} % used, {number(each.get('free_bytes')) / 1e6:.0f} MB free"
            )
            yield Seen(path, (*proof("disk", line), *(proof("step", said) if said else ())), 0.95)


_PSQL = "greenroom ssh -s {stack} -- docker compose -p {project} exec {service} psql -c "

CAUSES = (
    cause(
        "MULTIPLE_HEADS",
        _multiple_heads,
        rows="R17 F80",
        stage="migrate",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The migrations have more than one head: {heads}",
        impact="The schema was not touched; the release does not start. Upgrading to `heads` would hide the fork.",
        role="devops",
        next_steps=(
            "alembic heads && alembic merge -m 'join the heads' heads   # in a checkout of {repository}, by who knows both",
            "push the merge revision to {branch}, then greenroom up -s {stack}",
        ),
    ),
    cause(
        "MIGRATION_CONFIG_MISSING",
        _migration_config_missing,
        rows="R15 R16 U04",
        stage="migrate",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The migration tool does not find what it needs: {message}",
        impact="The schema was not touched; the release does not start.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- find {directory} -name alembic.ini   # where the repository has it",
            "say where in greenroom:workload.migrations.command and .current of Pulumi.{stack}.yaml (alembic -c PATH …)",
            "greenroom up -s {stack}",
        ),
    ),
    cause(
        "SCHEMA_BEHIND",
        _schema_behind,
        rows="R21 U21",
        stage="migrate",
        verdict=Verdict.HEAL,
        severity="high",
        title="The schema is at revision {revision} instead of {wanted}",
        impact="Containers may be healthy, and every request that needs the missing tables fails.",
        role="devops",
        next_steps=(
            "greenroom drift -s {stack}",
            "greenroom up -s {stack} --refresh   # runs the declared migration, once",
        ),
        remedy="converge",
    ),
    cause(
        "SCHEMA_DRIFT",
        _schema_drift,
        rows="U02 R18",
        stage="migrate",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="Code and schema do not fit: {subject} is not in the database ({line})",
        impact="Requests that need it fail. The database was not altered.",
        role="devops",
        next_steps=(
            "alembic check   # in {service}'s image: how the models differ from the schema",
            "write the missing migration in {repository} ({branch}); a baseline, where migrations assume a schema",
            "greenroom up -s {stack}",
        ),
    ),
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
            _PSQL + '"select pid, state, now() - xact_start, application_name from pg_stat_activity where pid = {pid}"',
            "end it where its owner agrees: select pg_terminate_backend({pid})",
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
            "greenroom ssh -s {stack} -- docker compose -p {project} exec {subject} psql -c "
            '"select application_name, state, count(*) from pg_stat_activity group by 1, 2 order by 3 desc"',
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
    cause(
        "MIGRATION_FAILED",
        _migration_failed,
        rows="F77",
        stage="migrate",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="A migration failed: {line}",
        impact="The release does not start; the old one goes on, on the schema that the migration left.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- docker compose -p {project} logs --tail 50",
            "mend the migration in {repository} ({branch}) and push; a failed one was rolled back by the database",
            "greenroom up -s {stack}",
        ),
    ),
)
