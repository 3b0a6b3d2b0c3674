"""Situations to diagnose: a healthy host as `collect` gathers one, and what a fault changes of it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from infra.healing.causes import CAUSES
from infra.healing.diagnosis import diagnose
from infra.healing.model import Declared, Failure, Match, Situation, Statement, stage_of

if TYPE_CHECKING:
    from collections.abc import Mapping

HOME = "/home/khaleel/tsh-erp"
COMMIT = "a1208ee5a1208ee5a1208ee5a1208ee5a1208ee5"
PROJECT = "tsh_erp_staging"
SERVICES = ("tsh_postgres_staging", "redis_staging", "app_staging", "tds_admin_dashboard_staging")
PORTS = {"tsh_postgres_staging": 5433, "redis_staging": 6380, "app_staging": 8002, "tds_admin_dashboard_staging": 3001}
DECLARED = Declared(
    stack="staging",
    project=PROJECT,
    directory=HOME,
    user="khaleel",
    compose_file="docker-compose.staging.yml",
    env_file=".env.staging",
    domain="staging.erp.tsh.sale",
    machine="480000001",
    tag="greenroom-staging",
    address="203.0.113.7",
    commit=COMMIT,
    repository="https://git.example.test/tsh-erp.git",
    branch="develop",
    services={
        name: {"container": name.replace("app_", "tsh_erp_app_"), "state": "running", "health": "healthy"}
        for name in SERVICES
    },
    directories=(f"{HOME}/logs/staging", f"{HOME}/uploads/staging"),
    ports=(3001, 8002),
    secret_sources={"POSTGRES_PASSWORD": "generated", "SECRET_KEY": "generated", "RESEND_API_KEY": "config"},
    migration={
        "service": "app_staging",
        "command": ["alembic", "upgrade", "head"],
        "current": ["alembic", "current"],
        "revision": "7f3a",
    },
    databases=(
        {
            "secret": "POSTGRES_PASSWORD",
            "service": "tsh_postgres_staging",
            "role": "tsh_app_user",
            "name": "tsh_erp_staging",
        },
    ),
    env_names=("DATABASE_URL", "LOG_LEVEL", "POSTGRES_PASSWORD", "RESEND_API_KEY", "SECRET_KEY"),
    routes={"/tds-admin*": 3001, "/*": 8002},
    health_paths=("/health", "/ready"),
    manages_dns=True,
)


@dataclass(frozen=True)
class Case:
    """A situation that proves a cause, and one nearly like it that must not."""

    code: str
    name: str
    proves: Situation
    near: Situation
    subject: str | None = None
    root: str = ""
    """The code that has to come first; the case's own where it is empty."""

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


def service(name: str = "app_staging", **changes: Any) -> dict[str, Any]:
    """Return a healthy container's facts with some of them changed."""
    container = name.replace("app_", "tsh_erp_app_")
    return {
        "id": f"{SERVICES.index(name) if name in SERVICES else 9:064x}",
        "container": container,
        "service": name,
        "created": "2026-11-24T18:00:00Z",
        "state": "running",
        "health": "healthy",
        "exit_code": 0,
        "oom_killed": False,
        "oom_kills": 0,
        "frozen": 0,
        "error": "",
        "restarts": 0,
        "started_at": "2026-11-24T18:00:01Z",
        "finished_at": "0001-01-01T00:00:00Z",
        "age_s": 3600,
        "ended_age_s": 7200,
        "image": f"{name}:staging-a1208ee",
        "user": "1000:1000",
        "memory_bytes": 1024**3,
        "restart": "always",
        "check": ["CMD", "curl", "-fsS", "http://localhost:8000/health"],
        "health_log": [{"at": "2026-11-24T18:59:00Z", "exit": 0, "output": "ok"}],
        "published": [{"address": "127.0.0.1", "port": PORTS.get(name, 9000), "inside": "8000"}],
        "mounts": [{"type": "bind", "source": f"{HOME}/uploads/staging", "target": "/app/uploads"}],
        "first_error": None,
        "recent": [],
        "check_answer": {},
        "marks": [],
        "log": ["INFO: Uvicorn running on http://0.0.0.0:8000"],
        **changes,
    }


def error(kind: str, message: str = "", **changes: Any) -> dict[str, Any]:
    """Return a log's first error."""
    line = f"{kind}: {message}" if message else kind
    fields = {"language": "python", "type": kind, "message": message, "file": "/app/main.py", "line": 12}
    return {**fields, "line_text": line, "following": [], "code": "", "then": [], "age_s": 9, **changes}


def answer(status: int = 200, kind: str = "answer", **changes: Any) -> dict[str, Any]:
    """Return what a path answered."""
    return {"status": status, "kind": kind, "reason": "", "body": "", "milliseconds": 12, **changes}


SILENT = answer(0, "silent", reason="TimeoutError: timed out")


def unit(active: str = "active", **changes: Any) -> dict[str, Any]:
    """Return a unit's state."""
    state = {"active": "running", "inactive": "dead", "failed": "failed"}.get(active, active)
    fields = {"load": "loaded", "active": active, "sub": state, "result": "success", "enabled": "enabled"}
    return {
        **fields,
        "exit_status": "0",
        "restarts": "0",
        "since": "Tue 2026-11-24 18:00:00 UTC",
        "journal": [],
        **changes,
    }


def healthy() -> dict[str, Any]:
    """Return the evidence of a host on which nothing is wrong."""
    listeners = [
        {
            "address": "127.0.0.1",
            "port": PORTS[name],
            "process": "docker-proxy",
            "pid": 900 + PORTS[name],
            "unit": "docker.service",
            "container": name.replace("app_", "tsh_erp_app_"),
            "project": PROJECT,
            "service": name,
        }
        for name in SERVICES
    ]
    return {
        "drift": [],
        "cloud": {"status": "active", "id": 480000001, "tags": ["greenroom-staging"]},
        "containers": {"engine": "", "services": {name: service(name) for name in SERVICES}, "others": []},
        "compose": {
            "file": f"{HOME}/docker-compose.staging.yml",
            "exit_status": 0,
            "error": "",
            "services": {
                name: {"image": name, "build": True, "depends": [], "published": [f"127.0.0.1:{port}"], "binds": []}
                for name, port in PORTS.items()
            },
        },
        "listeners": [
            {"address": "*", "port": 443, "process": "caddy", "pid": 40, "unit": "caddy.service"},
            *listeners,
        ],
        "disk": {
            "systems": [
                {
                    "path": "/",
                    "size_bytes": 80 * 1024**3,
                    "free_bytes": 50 * 1024**3,
                    "percent": 37.5,
                    "inodes_percent": 4.0,
                },
                {
                    "path": "/mnt/data",
                    "size_bytes": 5 * 1024**3,
                    "free_bytes": 4 * 1024**3,
                    "percent": 20.0,
                    "inodes_percent": 1.0,
                },
                {
                    "path": "/run/lock",
                    "size_bytes": 5 * 1024**2,
                    "free_bytes": 0,
                    "percent": 100.0,
                    "inodes_percent": 0.0,
                },
            ],
            "largest": [],
            "prunable": {},
        },
        "memory": {"total": 4 * 1024**3, "available": 2 * 1024**3, "swap_total": 0, "swap_free": 0, "load": 0.4},
        "units": {
            "units": {
                name: unit() for name in ("docker.service", "containerd.service", "caddy.service", "ssh.service")
            },
            "failed": [],
            "daemon_json": "",
        },
        "kernel": {"oom": [], "error": ""},
        "dns": {
            "domain": {"name": "staging.erp.tsh.sale", "addresses": ["203.0.113.7"], "error": ""},
            "repository": {
                "name": "git.example.test",
                "addresses": ["203.0.113.9"],
                "error": "",
                "port": 443,
                "connects": True,
            },
            "resolvers": ["67.207.67.2"],
        },
        "certificate": {
            "served": True,
            "error": "",
            "verify_code": 0,
            "verify_error": "",
            "now": 1795544645,
            "subject": "",
            "issuer": "CN=R11,O=Let's Encrypt,C=US",
            "names": ["staging.erp.tsh.sale"],
            "not_before": "2026-11-01T00:00:00Z",
            "not_after": "2027-01-30T00:00:00Z",
            "skew_s": 0,
        },
        "proxy": {"file": "/etc/caddy/Caddyfile", "adapt_status": 0, "error": "", "running": True, "differs": False},
        "http": {
            "public": {"/health": answer(), "/ready": answer()},
            "ports": {
                "8002": {"/": answer(404), "/health": answer(), "/ready": answer(), "/healthz": answer(404)},
                "3001": {"/tds-admin": answer(), "/": answer(404), "/tds-admin/": answer(), "/health": answer(404)},
            },
        },
        "database": {
            "servers": [
                {
                    "service": "tsh_postgres_staging",
                    "database": "tsh_erp_staging",
                    "role": "tsh_app_user",
                    "answers": True,
                    "error": "",
                    "revision": "7f3a",
                    "tables": 41,
                    "connections": 9,
                    "max_connections": 100,
                    "blockers": [],
                    "idle": [],
                }
            ],
            "passwords": {"POSTGRES_PASSWORD": "matches"},
        },
        "schema": {
            "asked": True,
            "current": {"exit_status": 0, "stdout": "7f3a (head)\n", "stderr": ""},
            "heads": {"exit_status": 0, "stdout": "7f3a (head)\n", "stderr": ""},
        },
        "git": {
            "directory": HOME,
            "exists": True,
            "is_checkout": True,
            "partial": False,
            "entries": [".env.staging", ".git", "dashboard"],
            "head": COMMIT,
            "url": "https://git.example.test/tsh-erp.git",
            "changed": [],
            "unlocked": [],
            "error": "",
        },
        "env": {
            "path": f"{HOME}/.env.staging",
            "exists": True,
            "mode": "0600",
            "uid": 1000,
            "names": ["DATABASE_URL", "LOG_LEVEL", "POSTGRES_PASSWORD", "RESEND_API_KEY", "SECRET_KEY"],
            "missing": [],
            "empty": [],
            "placeholders": [],
            "doubled": [],
        },
        "directories": {
            path: {"exists": True, "kind": "directory", "uid": 1000, "mode": "0755", "error": ""}
            for path in DECLARED.directories
        },
    }


def failure(code: str, evidence: str = "", *, phase: str = "", exit_status: int | None = 1, **fields: Any) -> Failure:
    """Return a failed step."""
    return Failure(
        stage=stage_of(phase),
        code=code,
        phase=phase,
        command=fields.pop("command", "a step"),
        exit_status=exit_status,
        evidence=evidence,
        **fields,
    )


def situation(
    failed: Failure | None = None,
    *,
    services: Mapping[str, Mapping[str, Any] | None] | None = None,
    statements: tuple[Statement, ...] = (),
    declared: Mapping[str, Any] | None = None,
    **sections: Any,
) -> Situation:
    """Return a healthy host with some sections merged in, and some containers replaced, or taken away (None)."""
    evidence = copy.deepcopy(healthy())
    for name, changes in sections.items():
        known = evidence.get(name)
        evidence[name] = {**known, **changes} if isinstance(known, dict) and isinstance(changes, dict) else changes
    for name, facts in (services or {}).items():
        if facts is None:
            del evidence["containers"]["services"][name]
        else:
            evidence["containers"]["services"][name] = dict(facts)
    return Situation(replace(DECLARED, **(declared or {})), failed, evidence, statements)


def drift(what: str, kind: str, *, layer: str = "host", resource: str = "", **fields: Any) -> list[dict[str, Any]]:
    """Return one finding of a look."""
    found = {"layer": layer, "resource": resource or kind.lower(), "type": kind, "property": "", "what": what}
    return [{**found, "expected": "", "found": "", "since": None, **fields}]


def statement(name: str, reason: str, group: str = "service") -> tuple[Statement, ...]:
    """Return a statement that does not hold."""
    return (Statement(group, name, reason),)


def matches(code: str, given: Situation) -> list[Match]:
    """Return the matches of one cause."""
    return list(next(each for each in CAUSES if each.code == code).look(given))


def root(given: Situation) -> str:
    """Return the code of the root cause; empty where nothing is wrong."""
    found = diagnose(given)
    return found[0].cause.code if found else ""
