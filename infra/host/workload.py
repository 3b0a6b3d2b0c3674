"""The two plain inputs that host resources share: how to reach the host, and which compose project it carries."""

from __future__ import annotations

__all__ = ["connection", "expect_readable", "workload"]

from typing import TYPE_CHECKING, Any

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
    databases: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Input[Any]]:
    """Return the input that names a compose project.

    `compose_file` and `env_file` are relative to `directory`; `variables` go into compose's own environment and win
    over the env file; `secrets` are the names of the env file's variables that no evidence may show; `databases` are
    the roles whose passwords are among them: secret, service, role, name (of the database), superuser or nothing.
    """
    return {
        "directory": directory,
        "compose_file": compose_file,
        "env_file": env_file,
        "project": project,
        "variables": variables,
        "secrets": list(secrets),
        "databases": [dict(each) for each in databases],
    }


def expect_readable(spec: dict[str, Any], fact: dict[str, Any], phase: str) -> None:
    """Raise StepError COMPOSE_INVALID when compose could not resolve the project's files."""
    if not fact["error"]:
        return
    reach = spec["connection"]
    raise StepError(
        phase=phase,
        host=f"{reach['user']}@{reach['host']}:{int(reach['port'])}",
        command=fact["command"],
        exit_status=1,
        evidence=fact["error"],
        code="COMPOSE_INVALID",
        hint=f"less {spec['workload']['directory']}/{spec['workload']['compose_file']}   # on the host",
    )
