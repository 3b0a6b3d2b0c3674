"""The two halves above the cloud: a host made ready, and a release on it. Each is a component over `infra.host`."""

from __future__ import annotations

__all__ = ["Environment", "Host", "Release", "all_secrets", "container_waivers", "given_secrets"]

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pulumi

from infra import host as resources
from infra.commands.environment import flatten
from infra.commands.references import names_in, substitute, substitute_within
from infra.secret import Secret, gather, rules_of, sources_of
from infra.secret.generated import GeneratedSecret
from infra.source import release_tag

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from infra.cloud import Cloud, Names
    from infra.settings import Settings

LOGIN_USER = "root"
SSH_PORT = 22
CONTAINER_CHECKS = ("docker-5.", "greenroom-")


def given_secrets(
    settings: Settings, stack: str, config: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> dict[str, Secret]:
    """Read every secret that is not generated.

    Raises one ConfigurationError naming all that are missing or no secrets; registers nothing.
    """
    return gather(rules_of(settings), sources_of(settings, stack, config, environment))


def all_secrets(settings: Settings, given: Mapping[str, Secret]) -> dict[str, pulumi.Input[str]]:
    """Give every secret of the workload: those that were given, and the generated ones as resources."""
    declared = settings.workload_secrets
    values: dict[str, pulumi.Input[str]] = {
        name: pulumi.Output.secret(secret.reveal()) for name, secret in given.items() if name in declared
    }
    for name, setting in declared.items():
        if setting.source == "generated":
            made = GeneratedSecret(
                name, length=setting.length, alphabet=setting.alphabet, generation=setting.generation
            )
            values[name] = made.value
    return values


def container_waivers(settings: Settings, today: date) -> list[dict[str, Any]]:
    """Give the waivers that a compose file can need, told apart by whether they still stand on this day (UTC)."""
    return [
        {
            "check": each.check,
            "service": each.service or "",
            "until": each.until.isoformat(),
            "expired": each.until < today,
        }
        for each in settings.waivers
        if each.check.startswith(CONTAINER_CHECKS)
    ]


@dataclass(frozen=True)
class Environment:
    """The workload's environment, apart from its secrets."""

    values: dict[str, Any]
    """What stands in the env file; texts may still name secrets."""
    variables: dict[str, str]
    """What only compose reads: the release's tag, the volume's place. The env file stays the same across releases."""

    @classmethod
    def of(cls, settings: Settings, *, commit: str, volume_path: str) -> Environment:
        """Fill in the names that Greenroom provides, and what compose reads altogether: it holds no secret."""
        compose = {"RELEASE_TAG": release_tag(commit), "RELEASE_COMMIT": commit, "VOLUME_PATH": volume_path}
        plain = {**_plain(settings), **compose}
        values: dict[str, Any] = {}
        variables: dict[str, str] = {}
        for name, value in settings.environment.items():
            if compose.keys() & names_in(flatten(value)):
                variables[name] = flatten(substitute_within(value, plain))
            else:
                values[name] = substitute_within(value, _provided(settings))
        return cls(values, variables)


def _template(settings: Settings) -> dict[str, Any] | None:
    """Give the repository's list of variables and the names that it is held against."""
    path = settings.workload.env_template
    provided = sorted([*settings.environment, *settings.workload_secrets])
    return {"path": f"{settings.host.directory}/{path}", "provided": provided} if path else None


def _databases(settings: Settings) -> list[dict[str, Any]]:
    """Give the roles whose passwords are secrets, their names filled in from the environment."""
    known = _plain(settings)
    return [
        {
            "secret": secret,
            "service": each.database.service,
            "role": substitute(each.database.role, known),
            "name": substitute(each.database.name, known),
            "superuser": substitute(each.database.superuser or "", known),
        }
        for secret, each in sorted(settings.secrets.items())
        if each.database
    ]


def _version(settings: Settings) -> dict[str, str] | None:
    """Give the table that keeps the schema's revision, likewise."""
    table = settings.workload.migrations.version if settings.workload.migrations else None
    if table is None:
        return None
    known = _plain(settings)
    names = {"role": substitute(table.role, known), "name": substitute(table.name, known)}
    return {"service": table.service, **names, "table": table.table}


def _plain(settings: Settings) -> dict[str, str]:
    """Give the values that names of roles and databases may refer to: those that refer to no others."""
    texts = {name: flatten(value) for name, value in settings.environment.items()}
    return {**{name: text for name, text in texts.items() if not names_in(text)}, **_provided(settings)}


def _provided(settings: Settings) -> dict[str, str]:
    """Give what Greenroom itself knows of the stack, for any value to refer to."""
    return {"DOMAIN": settings.domain, "ADMIN_EMAIL": settings.admin_email}


class Host(pulumi.ComponentResource):
    """The droplet as a place to run a workload: its own host key, its user, Docker, and the volume mounted."""

    def __init__(
        self,
        settings: Settings,
        names: Names,
        cloud: Cloud,
        operator: resources.KeyPair,
        bootstrap: resources.Bootstrap,
    ) -> None:
        super().__init__("greenroom:host:Host", "host")
        self.gone_with = cloud.droplet
        below = self.below()
        first = self._connection(cloud, operator, bootstrap.host_key)
        own_key = resources.HostKey("host-key", connection=first, opts=below)
        pinned = resources.PinnedHost("pinned-host", connection=first, public_key=own_key.public_key, opts=below)
        self.key = pinned.host_key
        self.connection = self._connection(cloud, operator, pinned.host_key)
        self.baseline = resources.Baseline(
            "baseline",
            connection=self.connection,
            user=settings.host.user,
            authorized_keys=[operator.public_key],
            packages=resources.PACKAGES + (resources.HARDENING_PACKAGES if settings.hardening.enabled else ()),
            opts=below,
        )
        self.hardening = self._hardening(settings)
        self.volume = resources.DataVolume(
            "data-volume",
            connection=self.connection,
            volume=names.volume,
            mount=names.volume_path,
            directories=[{"path": path, "owner": LOGIN_USER, "mode": "0755"} for path in settings.volume.directories],
            opts=self.below(self.baseline),
        )
        self.register_outputs({"hostKey": self.key})

    def _hardening(self, settings: Settings) -> resources.Hardening | None:
        hardening = settings.hardening
        if not hardening.enabled:
            return None
        return resources.Hardening(
            "hardening",
            connection=self.connection,
            confirm_within_s=hardening.confirm_within_seconds,
            exempt=hardening.exempt,
            opts=self.below(self.baseline),
        )

    @property
    def closed(self) -> list[pulumi.Resource]:
        """Give what must stand before anything is published: the firewall."""
        return [self.hardening] if self.hardening else []

    def below(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """Give the options of what lives on the droplet: it goes with it, without being asked one by one."""
        return pulumi.ResourceOptions(parent=self, deleted_with=self.gone_with, depends_on=list(after))

    @staticmethod
    def _connection(cloud: Cloud, operator: resources.KeyPair, host_key: pulumi.Output[str]) -> Any:
        """Describe the connection: to the droplet's own address, which no other machine can come to have.

        The reserved address is the public face and can be moved; a connection over it could end on another droplet.
        """
        return resources.connection(
            machine=cloud.droplet.id,
            host=cloud.droplet.ipv4_address,
            port=SSH_PORT,
            user=LOGIN_USER,
            private_key=operator.private_key,
            host_key=host_key,
        )


class Release(pulumi.ComponentResource):
    """One commit of the workload, with its environment, running, migrated, served and healthy."""

    def __init__(
        self,
        settings: Settings,
        host: Host,
        cloud: Cloud,
        *,
        commit: str,
        environment: Environment,
        secrets: Mapping[str, pulumi.Input[str]],
    ) -> None:
        super().__init__("greenroom:release:Release", "release")
        self.settings, self.host, self.commit = settings, host, commit
        workload = settings.workload
        checkout = resources.Checkout(
            "checkout",
            connection=host.connection,
            repository=workload.repository,
            branch=workload.branch,
            commit=commit,
            directory=settings.host.directory,
            owner=settings.host.user,
            keep=[workload.env_file, *(f"{each.path}/" for each in workload.directories)],
            directories=[{"path": each.path, "owner": each.owner, "mode": "0755"} for each in workload.directories],
            opts=self._below(host.baseline),
        )
        env = resources.EnvFile(
            "env-file",
            connection=host.connection,
            path=f"{settings.host.directory}/{workload.env_file}",
            owner=settings.host.user,
            values=environment.values,
            secrets=dict(secrets),
            opts=self._below(checkout),
        )
        place = resources.workload(
            directory=settings.host.directory,
            compose_file=workload.compose_file,
            env_file=workload.env_file,
            project=workload.project,
            variables=dict(environment.variables),
            secrets=sorted(settings.workload_secrets),
            waivers=container_waivers(settings, datetime.now(UTC).date()),
            databases=_databases(settings),
        )
        images = resources.Images(
            "images",
            connection=host.connection,
            workload=place,
            commit=commit,
            mode=workload.images,
            template=_template(settings),
            opts=self._below(env),
        )
        migrated = self._migrations(place, env, images)
        stack = resources.ComposeStack(
            "compose-stack",
            connection=host.connection,
            workload=place,
            commit=commit,
            environment=env.digest,
            key_fingerprint=host.baseline.key_fingerprint,
            opts=self._below(host.volume, images, *host.closed, *([migrated] if migrated else [])),
        )
        proxy = resources.Proxy(
            "proxy",
            connection=host.connection,
            domain=settings.domain,
            routes=[{"path": route.path, "port": route.port} for route in workload.routes],
            tls="internal" if settings.cloud == "local" else "acme",
            email=settings.admin_email,
            opts=self._below(host.baseline, cloud.name),
        )
        self.gate = resources.HealthGate(
            "health-gate",
            connection=host.connection,
            domain=settings.domain,
            paths=list(workload.health),
            ca_certificate=proxy.ca_certificate,
            triggers=[commit, env.digest],
            opts=self._below(stack, proxy),
        )
        self.images, self.env, self.migrated, self.stack, self.proxy = images, env, migrated, stack, proxy
        self.register_outputs({"commit": commit})

    def _below(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, deleted_with=self.host.gone_with, depends_on=list(after))

    def _migrations(self, place: Any, env: resources.EnvFile, images: resources.Images) -> resources.Migrations | None:
        migrations = self.settings.workload.migrations
        if migrations is None:
            return None
        return resources.Migrations(
            "migrations",
            connection=self.host.connection,
            workload=place,
            service=migrations.service,
            command=list(migrations.command),
            current=list(migrations.current),
            commit=self.commit,
            environment=env.digest,
            key_fingerprint=self.host.baseline.key_fingerprint,
            version=_version(self.settings),
            opts=self._below(self.host.volume, images),
        )

    def summary(self) -> dict[str, Any]:
        """Give what makes the release one thing: commit, tag, images, migration revision, and the env's keyed hash."""
        return {
            "commit": self.commit,
            "tag": release_tag(self.commit),
            "images": self.images.images,
            "migration": self.migrated.revision if self.migrated else None,
            "env_hash": self.env.digest,
        }
