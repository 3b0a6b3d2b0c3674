"""Causes in the schema and its migrations, as tool, server and the first error tell them."""

from __future__ import annotations

__all__ = ["CAUSES", "MIGRATING"]

import re
from typing import TYPE_CHECKING

from infra.commands.migrations import parse_current
from infra.healing.causes.logged import of_failing_requests, of_ill_services
from infra.healing.matching import (
    Seen,
    cause,
    errors_of,
    failed,
    find_drift,
    first_line,
    lines_of,
    listed,
    lookup,
    proof,
    section,
    step_lines,
    text,
    the_error,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Situation

MIGRATING = ("MIGRATION_FAILED", "MIGRATION_INCOMPLETE")
_HEADS = re.compile(r"(?:FAILED: |.{0,120}?MultipleHeads?: )?Multiple head revisions are present")
_HEAD = re.compile(r"([A-Za-z0-9_]{1,64}) \((?:head|effective head)\)")
_CONFIG = re.compile(
    r"FAILED: (?:No config file '[^']{1,300}' found|Path doesn't exist: '?[^'\n]{1,300}'?)"
    r"|(?:FAILED: )?No 'script_location' key found"
)
_UNDEFINED = re.compile(r"(?:\S{0,120}\.)?(UndefinedTable|UndefinedColumn|UndefinedObject)\b")
_RELATION = re.compile(
    r".{0,200}?(?:relation|column) \"?([A-Za-z0-9_.]{1,128})\"? (?:of relation \S{1,128} )?does not exist"
)
_ENUM = re.compile(r"'[^'\n]{1,200}' is not among the defined enum values")
_REVISION = re.compile(r"the schema is at revision (\S{1,200}) instead of (\S{1,200})\Z")


def _multiple_heads(situation: Situation) -> Iterator[Seen]:
    said = first_line(_HEADS, step_lines(failed(situation, *MIGRATING)))
    printed = lines_of(lookup(section(situation, "schema"), "heads", "stdout"))
    heads = sorted({found[1] for found in map(_HEAD.match, printed) if found})
    if said or len(heads) > 1:
        shown = ", ".join(heads) or "see alembic heads"
        line = said.string if said else f"heads: {shown}"
        yield Seen("alembic", proof("migrate", line), 0.97 if said else 0.8, {"heads": shown})


def _migration_config_missing(situation: Situation) -> Iterator[Seen]:
    said = first_line(_CONFIG, step_lines(failed(situation, *MIGRATING)))
    if said:
        yield Seen("alembic.ini", proof("migrate", said.string), 0.95, {"message": said.string[:200]})
    error = the_error(situation) if failed(situation, *MIGRATING) else {}
    if error.get("type") in ("ModuleNotFoundError", "ImportError"):
        line = text(error.get("line_text"))
        yield Seen("migrations", proof("migrate", line), 0.85, {"message": line[:200]})


def _schema_behind(situation: Situation) -> Iterator[Seen]:
    if failed(situation, *MIGRATING) or not situation.declared.migrations:
        return
    wanted = text(situation.declared.migration.get("revision"))
    database = section(situation, "database")
    for each in find_drift(situation, _REVISION):
        found = _REVISION.match(text(each.get("what")))
        if found:
            yield Seen("schema", proof("drift", each.get("what")), 0.95, {"revision": found[1], "wanted": found[2]})
    for server in listed(database.get("servers")):
        found_there = server.get("revision")
        has = text(found_there) or "none"
        if server.get("answers") and isinstance(found_there, str) and wanted and has != wanted:
            line = f"{server.get('database')}: revision {has}, expected {wanted}, tables: {server.get('tables')}"
            yield Seen("schema", proof("database", line), 0.95, {"revision": has, "wanted": wanted})
    current = section(situation, "schema").get("current")
    if isinstance(current, dict) and current.get("exit_status") == 0:
        seen = parse_current(text(current.get("stdout")))
        if not seen.is_head and (wanted or seen.name):
            details = {"revision": seen.name or "none", "wanted": wanted or "the head"}
            yield Seen("schema", proof("migration tool", f"current: {seen.name or 'none'}"), 0.9, details)


def _schema_drift(situation: Situation) -> Iterator[Seen]:
    candidates = [*of_ill_services(situation), *of_failing_requests(situation)]
    candidates += [("migrate", error) for error in errors_of(situation)] if failed(situation, *MIGRATING) else []
    for name, error in candidates:
        kind, message = text(error.get("type")), text(error.get("message"))
        undefined = _UNDEFINED.match(kind) or _UNDEFINED.match(message.lstrip("("))
        enum = kind == "LookupError" and _ENUM.match(message)
        if undefined or enum:
            line = text(error.get("line_text"))
            found = _RELATION.match(message)
            yield Seen(found[1] if found else name, proof(name, line), 0.85, {"service": name, "line": line[:200]})


def _migration_failed(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, *MIGRATING)
    if failure is not None:
        error = the_error(situation)
        lines = [line for line in step_lines(failure) if line.strip()]
        line = text(error.get("line_text")) or (lines[-1] if lines else failure.command)
        yield Seen("migrations", proof("migrate", line), 0.6, {"line": line[:300]})


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
            "alembic heads && alembic merge -m 'join the heads' heads   # in {repository}, by whoever knows both",
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
            "say where in greenroom:workload.migrations of Pulumi.{stack}.yaml: alembic -c PATH, in both commands",
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
