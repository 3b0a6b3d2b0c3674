"""What healing has to know of a stack, gathered from its settings and its state; settings count where both tell."""

from __future__ import annotations

__all__ = ["declared_of", "droplet_of", "endpoint_of_host", "settings_of", "volume_of"]

from typing import TYPE_CHECKING, Any

from infra.cloud.naming import Names
from infra.deployment import Environment
from infra.healing.identity import DropletRecord
from infra.healing.model import Declared
from infra.host.resource import endpoint_of
from infra.settings import load_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.cli.driver import Resource
    from infra.cli.session import Session
    from infra.settings import Settings
    from infra.transport import Endpoint

PROJECT = "greenroom"


def declared_of(session: Session) -> Declared:
    """Gather it; what was never deployed is empty."""
    settings = settings_of(session)
    exists = session.driver.exists()
    outputs: dict[str, Any] = session.driver.outputs() if exists else {}
    named = {each.name: each for each in session.driver.resources()} if exists else {}
    workload, droplet = settings.workload, named.get("droplet")
    names = Names(PROJECT, session.stack)
    checked_out = named["checkout"].inputs.get("commit") if "checkout" in named else ""
    commit = str(checked_out or (outputs.get("release") or {}).get("commit") or "")
    environment = Environment.of(settings, commit=commit, volume_path=names.volume_path)
    place: dict[str, Any] = dict((named["images"].inputs.get("workload") or {}) if "images" in named else {})
    return Declared(
        stack=session.stack,
        project=workload.project,
        directory=settings.host.directory,
        user=settings.host.user,
        compose_file=workload.compose_file,
        env_file=workload.env_file,
        domain=settings.domain,
        machine=droplet.id if droplet else "",
        tag=names.tag,
        address=str(outputs.get("address") or _output(droplet, "ipv4Address")),
        commit=commit,
        repository=workload.repository,
        branch=workload.branch,
        services=outputs.get("services") or {},
        directories=tuple(f"{settings.host.directory}/{each.path}" for each in workload.directories),
        ports=tuple(each.port for each in workload.routes),
        secret_sources={name: each.source for name, each in settings.workload_secrets.items()},
        migrations=workload.migrations is not None,
        migration=_migration(settings, named.get("migrations")),
        databases=tuple(place.get("databases") or ()),
        env_names=tuple(sorted([*environment.values, *settings.workload_secrets])),
        variables=dict(environment.variables),
        routes={each.path: each.port for each in workload.routes},
        health_paths=tuple(workload.health),
        authority=_output(named.get("proxy"), "ca_certificate"),
        manages_dns=bool(settings.dns and settings.dns.manage),
        may_push=settings.healing.push,
        deploy_patched=settings.healing.deploy_patched and not workload.commit,
    )


def settings_of(session: Session) -> Settings:
    """Read the stack's settings; raises ConfigurationError."""
    return load_file(session.root / f"Pulumi.{session.stack}.yaml", root=session.root)


def droplet_of(resources: Sequence[Resource], stack: str) -> DropletRecord | None:
    """Return what the state says of the droplet; None where there is none yet."""
    names = Names(PROJECT, stack)
    for each in resources:
        if each.name == "droplet" and each.id and not each.leftover:
            return DropletRecord(each.id, names.prefix, (names.tag,), str(each.outputs.get("ipv4Address", "")))
    return None


def volume_of(resources: Sequence[Resource]) -> str:
    """Return the id of the state's data volume; empty where there is none yet."""
    return next((each.id or "" for each in resources if each.name == "volume" and not each.leftover), "")


def endpoint_of_host(resources: Sequence[Resource]) -> Endpoint | None:
    """Return the connection to the host by its own key; None as long as it was never pinned."""
    for each in resources:
        key = each.outputs.get("host_key")
        if each.name == "pinned-host" and key and not each.leftover:
            return endpoint_of({**each.inputs["connection"], "host_key": key})
    return None


def _migration(settings: Settings, made: Resource | None) -> dict[str, Any]:
    migrations = settings.workload.migrations
    if migrations is None:
        return {}
    return {
        "service": migrations.service,
        "command": list(migrations.command),
        "current": list(migrations.current),
        "revision": _output(made, "revision"),
    }


def _output(resource: Resource | None, name: str) -> str:
    return str(resource.outputs.get(name) or "") if resource else ""
