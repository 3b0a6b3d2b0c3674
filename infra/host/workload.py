"""The two plain inputs that host resources share: how to reach the host, and which compose project it carries.

Whoever plans from a project's model asks `expect_acceptable` first: it has to be readable, and confined.
"""

from __future__ import annotations

__all__ = ["connection", "expect_acceptable", "workload"]

from typing import TYPE_CHECKING, Any

from infra.commands.confinement import refusals
from infra.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input


def connection(
    *,
    machine: Input[str],
    host: Input[str],
    private_key: Input[str],
    host_key: Input[str],
    user: Input[str] = "root",
    port: Input[int] = 22,
) -> dict[str, Input[Any]]:
    """Return the input that says how to reach a host. `machine` is the droplet's id: another one is another host."""
    return {
        "machine": machine,
        "host": host,
        "port": port,
        "user": user,
        "private_key": private_key,
        "host_key": host_key,
    }


def workload(
    *,
    directory: str,
    compose_file: str,
    env_file: str,
    project: str,
    variables: dict[str, Input[str]],
    secrets: Sequence[str],
    waivers: Sequence[Mapping[str, Any]] = (),
    databases: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Input[Any]]:
    """Return the input that names a compose project.

    `compose_file` and `env_file` are relative to `directory`; `variables` go into compose's own environment and win
    over the env file; `secrets` are the names of the env file's variables that no evidence may show. `waivers` say what
    else a service may ask for: check, service (empty: any), until, expired. `databases` are the roles whose passwords
    are among the secrets: secret, service, role, name (of the database), superuser or nothing.
    """
    return {
        "directory": directory,
        "compose_file": compose_file,
        "env_file": env_file,
        "project": project,
        "variables": variables,
        "secrets": list(secrets),
        "waivers": [dict(each) for each in waivers],
        "databases": [dict(each) for each in databases],
    }


def expect_acceptable(spec: dict[str, Any], fact: dict[str, Any], phase: str) -> None:
    """Raise StepError when a project's files must not be acted on.

    COMPOSE_INVALID: compose could not resolve them. COMPOSE_UNCONFINED: a service asks for what no container may have,
    and no standing waiver allows it; the evidence has a line for each.
    """
    place, reach = spec["workload"], spec["connection"]
    host = f"{reach['user']}@{reach['host']}:{int(reach['port'])}"
    path = f"{place['directory']}/{place['compose_file']}"
    if fact["error"]:
        raise StepError(
            phase=phase,
            host=host,
            command=fact["command"],
            exit_status=1,
            evidence=fact["error"],
            code="COMPOSE_INVALID",
            hint=f"less {path}   # on the host",
        )
    refused = refusals(fact["services"], place.get("waivers", ()))
    if refused:
        raise StepError(
            phase=phase,
            host=host,
            command=f"read {path}",
            exit_status=0,
            evidence="\n".join(f"{place['compose_file']}: {line}" for line in refused),
            code="COMPOSE_UNCONFINED",
            hint=f"change {place['compose_file']}, or give a waiver (check, reason, until) under greenroom:waivers",
        )
