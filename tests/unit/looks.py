"""Looks at a stack that is well, or has a fault: what the watch sees, without a stack."""

from __future__ import annotations

__all__ = ["HARD", "SOFT", "WALL", "container", "look"]

from typing import Any

from infra.healing.detector import Look

WALL = "2026-11-24T18:00:00.000Z"


def container(**changes: Any) -> dict[str, Any]:
    well = {"state": "running", "health": "healthy", "exit_code": 0, "oom": False, "frozen": False, "since": None}
    return {**well, **changes}


def vitals(**changes: Any) -> dict[str, Any]:
    units = {name: {"active": "active"} for name in ("docker.service", "containerd.service", "caddy.service")}
    well: dict[str, Any] = {
        "engine": "",
        "services": {"app": container(), "db": container(health="none")},
        "events": [],
        "units": units,
        "proxy": True,
        "certificate": {"verdict": "good", "text": "valid until tomorrow"},
        "disks": {"/": {"percent": 40.0, "inodes_percent": 3.0}},
    }
    return {**well, **changes}


def look(at: float = 0.0, *, answers: dict[str, int] | None = None, **changes: Any) -> Look:
    own = {name: changes.pop(name) for name in ("busy", "unreachable", "offline") if name in changes}
    services = {name: changes.pop(name) for name in ("app", "db") if name in changes}
    facts = vitals(**changes)
    facts["services"] = {name: each for name, each in {**facts["services"], **services}.items() if each}
    return Look(at, WALL, vitals=facts, answers=answers or {"/health": 200}, **own)


HARD = [
    ("service app", {"app": container(state="exited", health="none", exit_code=137)}),
    ("service app", {"app": None}),
    ("service app", {"app": container(frozen=True)}),
    ("service app", {"app": container(state="paused")}),
    ("service app", {"app": container(health="unhealthy")}),
    ("memory app", {"events": [{"what": "oom", "service": "app", "exit_code": 0}]}),
    ("unit docker.service", {"units": {"docker.service": {"active": "failed"}}}),
    ("certificate", {"certificate": {"verdict": "expired", "text": "certificate has expired"}}),
]
SOFT = [
    ("path /health", {"answers": {"/health": 502}}),
    ("path /health", {"answers": {"/health": 0}}),
    ("service app", {"app": container(state="restarting")}),
    ("death app", {"events": [{"what": "die", "service": "app", "exit_code": 1}]}),
    ("unit caddy.service", {"proxy": False}),
    ("engine", {"engine": "Docker engine: 0: no answer"}),
    ("disk /", {"disks": {"/": {"percent": 97.0, "inodes_percent": 3.0}}}),
    ("disk /", {"disks": {"/": {"percent": 40.0, "inodes_percent": 99.0}}}),
    ("certificate", {"certificate": {"verdict": "early", "text": "certificate is not yet valid"}}),
    ("host", {"unreachable": "connect: timed out"}),
]
