"""The database as its own server tells of it: reachable or not, the schema's revision, who holds locks, who waits."""

from __future__ import annotations

__all__ = ["database_section", "schema_section"]

import json
from concurrent.futures import ThreadPoolExecutor

from infra.transport.remote.database import database_passwords_fact
from infra.transport.remote.engine import Engine
from infra.transport.remote.processes import Finished, run
from infra.transport.remote.stack import service_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE_S = 2.5
_LOOK = """SELECT json_build_object(
 'connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
 'max_connections', current_setting('max_connections')::int,
 'tables', (SELECT count(*) FROM pg_stat_user_tables),
 'idle', (SELECT coalesce(json_agg(json_build_object('pid', pid, 'state', state, 'age_s', age_s)), '[]') FROM
   (SELECT pid, state, extract(epoch FROM now() - xact_start)::int AS age_s FROM pg_stat_activity
   WHERE state LIKE 'idle in transaction%' AND now() - xact_start > interval '3 s' ORDER BY 3 DESC LIMIT 5) AS idle),
 'has_revision', to_regclass('alembic_version') IS NOT NULL,
 'blockers', (SELECT coalesce(json_agg(json_build_object('pid', pid, 'state', state, 'age_s', age_s, 'waiting', waiting,
   'application', application)), '[]') FROM (SELECT a.pid, a.state, a.application_name AS application,
   extract(epoch FROM now() - a.xact_start)::int AS age_s, count(*) AS waiting FROM pg_stat_activity w
   CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b(pid) JOIN pg_stat_activity a ON a.pid = b.pid
   GROUP BY 1, 2, 3, 4 ORDER BY waiting DESC LIMIT 5) AS held));
"""
_REVISION = "SET lock_timeout = 500; SELECT string_agg(version_num, ',') FROM alembic_version;\n"


def database_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell of each declared database what its server says, and whether it has the env file's passwords."""
    containers = service_containers(Engine(timeout_s=PATIENCE_S), probe["project"])
    with ThreadPoolExecutor(max_workers=8) as pool:
        servers = [pool.submit(_server, role, containers) for role in probe["databases"]]
        passwords = pool.submit(_passwords, probe)
        return {"servers": [each.result() for each in servers], "passwords": passwords.result()}


def schema_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Ask the migration tool in the running service where the schema is, and which heads its scripts have."""
    migration: dict[str, Any] = probe["migration"]
    container = service_containers(Engine(timeout_s=PATIENCE_S), probe["project"]).get(migration.get("service", ""))
    current: list[str] = migration.get("current") or []
    if container is None or container["state"] != "running" or not current:
        return {"asked": False}
    heads = [*current[:-1], "heads"] if current[-1] == "current" else []
    with ThreadPoolExecutor(max_workers=2) as pool:
        first, second = pool.submit(_told, container["id"], current), pool.submit(_told, container["id"], heads)
        return {"asked": True, "current": first.result(), "heads": second.result()}


def _passwords(probe: dict[str, Any]) -> dict[str, str]:
    if not probe["databases"]:
        return {}
    question = {"env_file": probe["env_file"], "project": probe["project"], "roles": probe["databases"]}
    return database_passwords_fact(question)


def _server(role: dict[str, Any], containers: dict[str, Any]) -> dict[str, Any]:
    fact: dict[str, Any] = {"service": role["service"], "database": role["name"], "role": role["role"]}
    container = containers.get(role["service"])
    if container is None or container["state"] != "running":
        return {**fact, "answers": False, "error": "no running container"}
    looked = _ask(role, container["id"], _LOOK)
    if looked.exit_status != 0:
        return {**fact, "answers": False, "error": looked.stderr.strip()}
    seen = json.loads(looked.stdout)
    asked = _ask(role, container["id"], _REVISION) if seen["has_revision"] else Finished(0, "", "")
    revision = asked.stdout.strip() if asked.exit_status == 0 else None  # unknown, as under an exclusive lock
    return {**fact, **seen, "answers": True, "error": "", "revision": revision}


def _told(container: str, argv: list[str]) -> dict[str, Any]:
    if not argv:
        return {"exit_status": -1, "stdout": "", "stderr": ""}
    done = run(["docker", "exec", container, *argv], timeout_s=PATIENCE_S)
    return {"exit_status": done.exit_status, "stdout": done.stdout, "stderr": done.stderr}


def _ask(role: dict[str, Any], container: str, script: str) -> Finished:
    user = role.get("superuser") or role["role"]
    argv = ["docker", "exec", "-i", container, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", role["name"]]
    return run(argv, stdin=script, timeout_s=PATIENCE_S)
