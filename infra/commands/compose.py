"""docker compose as argument lists, and the plan that turns a project's facts into the fewest changes.

Containers carry a digest of their service's resolved configuration as a label, put on by an override file. What is
recreated is therefore exactly what differs, environment included; the rest keeps running. The same file confines them
(`confinement.floor`).
"""

from __future__ import annotations

__all__ = [
    "KEY_FILE",
    "OVERRIDES",
    "STARTED",
    "ServiceGap",
    "arguments",
    "closure",
    "env_path",
    "gaps",
    "model_probe",
    "other_limits",
    "override",
    "override_path",
    "password_probes",
    "readers",
    "recreate_arguments",
    "references",
    "services_shown",
    "stale_roles",
]

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.commands.confinement import floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OVERRIDES = "/var/lib/greenroom"
KEY_FILE = "/var/lib/greenroom/key"
"""Keys the services' digests; made once on each host, by the baseline."""
LABEL = "greenroom.config"
STARTED = ("running",)


@dataclass(frozen=True)
class ServiceGap:
    """How one service differs from what is wanted, and whether only a new container can mend it."""

    service: str
    why: str
    recreate: bool


def override_path(project: str) -> str:
    """Return where the project's override file stands on the host."""
    return f"{OVERRIDES}/{project}.yml"


def arguments(workload: Mapping[str, Any], *, labelled: bool = False) -> list[str]:
    """Return `docker compose` up to the verb; with the override file where containers are made."""
    directory = workload["directory"]
    files = ["--file", f"{directory}/{workload['compose_file']}"]
    if labelled:
        files += ["--file", override_path(workload["project"])]
    return [
        *("docker", "compose", "--project-directory", directory, "--project-name", workload["project"]),
        *("--env-file", env_path(workload), *files),
    ]


def model_probe(kind: str, workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the question for a project's model (`model`), or for model, images and containers (`stack`)."""
    return {
        "kind": kind,
        "argv": arguments(workload),
        "cwd": "/",
        "env": dict(workload["variables"]),
        "project": workload["project"],
        "key_file": KEY_FILE,
        "env_file": env_path(workload),
        "secrets": list(workload["secrets"]),
    }


def env_path(workload: Mapping[str, Any]) -> str:
    """Return where the project's env file stands on the host."""
    return f"{workload['directory']}/{workload['env_file']}"


def password_probes(workload: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the question whether the databases have the env file's passwords; none where none is declared."""
    roles = workload.get("databases") or []
    if not roles:
        return {}
    question = {"kind": "database_passwords", "project": workload["project"], "env_file": env_path(workload)}
    return {"passwords": {**question, "roles": [dict(role) for role in roles]}}


def stale_roles(workload: Mapping[str, Any], passwords: Mapping[str, str], services: Iterable[str]) -> list[Any]:
    """Return the roles of these services whose password is not known to be the env file's."""
    names = set(services)
    roles = workload.get("databases") or []
    return [role for role in roles if role["service"] in names and passwords.get(role["secret"]) != "matches"]


def readers(services: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return which services read each secret, from the resolved model."""
    found: dict[str, list[str]] = {}
    for service, each in sorted(services.items()):
        for name in each.get("reads", []):
            found.setdefault(name, []).append(service)
    return dict(sorted(found.items()))


def override(services: Mapping[str, Any]) -> str:
    """Return the override file: each service's digest as a label, and its confinement. JSON is YAML."""
    added = {
        name: {"labels": {LABEL: service["config"]}, **floor(service["posture"])}
        for name, service in sorted(services.items())
    }
    return json.dumps({"services": added}, indent=1) + "\n"


def recreate_arguments(workload: Mapping[str, Any], services: Iterable[str]) -> list[str]:
    """Return the command that makes new containers for just these services, and starts none."""
    flags = ["--no-start", "--no-deps", "--no-build", "--pull", "never", "--force-recreate"]
    return [*arguments(workload, labelled=True), "up", *flags, *services]


def references(fact: Mapping[str, Any], *, built: bool) -> list[str]:
    """Return the image references of the services that are built here, or of those that are not."""
    return sorted({each["image"] for each in fact["services"].values() if each["build"] == built})


def closure(services: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the named services and everything they depend on."""
    found: dict[str, Any] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in services and name not in found:
            found[name] = services[name]
            waiting += services[name]["depends"]
    return dict(sorted(found.items()))


def gaps(
    fact: Mapping[str, Any], names: Iterable[str], made: Mapping[str, Mapping[str, Any]] | None = None
) -> list[ServiceGap]:
    """Return how the named services differ from the model; empty when all are as they should be.

    `made` are the containers as they were made, by service: their limits can be changed without any other trace.
    """
    found: list[ServiceGap] = []
    for name in names:
        service, container = fact["services"][name], fact["containers"].get(name)
        if container is None:
            found.append(ServiceGap(name, f"service {name} has no container", recreate=True))
        elif container["config"] != service["config"]:
            found.append(ServiceGap(name, f"service {name} runs with another configuration", recreate=True))
        elif container["image_id"] != fact["images"].get(service["image"]):
            found.append(ServiceGap(name, f"service {name} runs another image", recreate=True))
        elif other_limits((made or {}).get(name, {}), container):
            found.append(ServiceGap(name, f"service {name} has other limits", recreate=True))
        else:
            found += _state_gap(name, container)
    return found


def services_shown(containers: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what the stack's outputs tell of each service: nothing that changes while nothing happens."""
    names = ("container", "state", "health", "image", "config", "limits")
    return {
        service: {name: each[name] for name in names if name in each} for service, each in sorted(containers.items())
    }


def other_limits(made: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the limits that a container of the same configuration has now and was not made with: (made, now)."""
    if made.get("config") != now["config"]:
        return {}
    wanted, found = made.get("limits", {}), now.get("limits", {})
    return {name: (value, found.get(name)) for name, value in sorted(wanted.items()) if found.get(name) != value}


def _state_gap(name: str, container: Mapping[str, Any]) -> list[ServiceGap]:
    if container["state"] not in STARTED:
        return [ServiceGap(name, f"service {name} is {container['state']}", recreate=container["state"] == "dead")]
    if container["health"] == "unhealthy":
        return [ServiceGap(name, f"service {name} is unhealthy", recreate=True)]
    if container["health"] == "starting":
        return [ServiceGap(name, f"service {name} is still starting", recreate=False)]
    return []
