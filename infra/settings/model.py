"""The settings of a stack: frozen, strict, and with no key that nobody reads.

Keys are camelCase as they stand in `Pulumi.<stack>.yaml` under the project's namespace. What single fields accept is
in `fields`; what only makes sense together is checked by the models here.
"""

from __future__ import annotations

__all__ = [
    "Alerts",
    "DatabaseRole",
    "Directory",
    "Dns",
    "DropletSettings",
    "Hardening",
    "Host",
    "LocalCloud",
    "Migrations",
    "Network",
    "Route",
    "SecretSetting",
    "Settings",
    "VersionTable",
    "VolumeSettings",
    "Waiver",
    "Workload",
]

import re
from datetime import date  # noqa: TC003 (pydantic looks at it)
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from infra.settings import fields
from infra.settings.base import Model, expected, expects
from infra.settings.catalogue import catalogue
from infra.settings.healing import HealingSettings

TAKEN_PORTS = {22: "sshd", 80: "the proxy", 443: "the proxy"}
SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,127}")


Domain = Annotated[str, expects(fields.domain)]
Email = Annotated[str, expects(fields.email)]
RelativePath = Annotated[str, expects(fields.relative_path)]
RequestPath = Annotated[str, expects(fields.request_path)]
Port = Annotated[int, Field(ge=1, le=65535)]
Percent = Annotated[int, Field(ge=1, le=99)]
Word = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f]+$")]
ServiceName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$")]
Scalar = str | int | float | bool


class DropletSettings(Model):
    """The machine."""

    region: Annotated[str, expects(fields.slug, "region", catalogue().regions)]
    size: Annotated[str, expects(fields.slug, "size", catalogue().sizes)]
    image: Annotated[str, expects(fields.slug, "image", catalogue().images)]
    reserved_ip: Annotated[str, expects(fields.public_address)] | None = None
    """A reserved address that the account has already; null makes one that belongs to the stack."""
    generation: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Raise it to replace the droplet by one that boots from the present template."""


class Network(Model):
    """The private network."""

    cidr: Annotated[str, expects(fields.network_range)]


class Dns(Model):
    """The zone that the stack's name lives in."""

    zone: Domain
    manage: bool = False
    """Whether the zone itself belongs to the stack, or is in the account already."""


class VolumeSettings(Model):
    """The volume that holds the database."""

    size_gib: Annotated[int, Field(ge=1, le=16_384)]
    directories: tuple[RelativePath, ...] = ()
    """Directories that the volume has to have, relative to where it is mounted."""


class Alerts(Model):
    """Who is told, and from which load on."""

    email: Annotated[tuple[Email, ...], Field(min_length=1)]
    cpu_percent: Percent = 80
    memory_percent: Percent = 85
    disk_percent: Percent = 85


class Host(Model):
    """The workload's owner and place on the droplet."""

    user: Annotated[str, expects(fields.system_user)]
    directory: str

    @field_validator("directory")
    @classmethod
    def _below_home(cls, value: str, info: Any) -> str:
        try:
            return fields.home_directory(value, info.data.get("user", "USER"))
        except fields.Expected as error:
            raise expected(str(error)) from None


class Hardening(Model):
    """How the droplet is closed to strangers; see docs/hardening.md."""

    enabled: bool = True
    confirm_within_seconds: Annotated[int, Field(ge=10, le=120)] = 60
    """How long a change of sshd or the firewall waits for its confirmation before the host takes it back."""
    exempt: tuple[Annotated[str, expects(fields.source_network)], ...] = ()
    """Networks that sshd never penalises; none stands for the addresses that controllers came from."""


class VersionTable(Model):
    """Where a PostgreSQL that the workload runs itself keeps the schema's revision: asked there, a look is quick."""

    service: ServiceName
    """The compose service of the database."""
    role: Word
    """Who may read the table over the server's own socket; may refer to the environment, as `{{ POSTGRES_USER }}`."""
    name: Word
    """The database, likewise."""
    table: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?$")] = "alembic_version"


class Migrations(Model):
    """How the schema is brought up to date, and asked which revision it has."""

    service: ServiceName
    command: Annotated[tuple[Word, ...], Field(min_length=1)]
    current: Annotated[tuple[Word, ...], Field(min_length=1)]
    version: VersionTable | None = None
    """Where the revision is kept; null has `current` asked on every look, which starts the application."""


class Directory(Model):
    """A directory of the workload that containers write to."""

    path: RelativePath
    owner: Annotated[int, Field(ge=0, le=65_533)]


class Route(Model):
    """A path of the public name and the loopback port that answers it."""

    path: Annotated[str, expects(fields.route_path)]
    port: Port


class Workload(Model):
    """The compose application: where it comes from and how it is run."""

    repository: Annotated[str, expects(fields.git_url)]
    branch: Annotated[str, expects(fields.git_branch)]
    commit: Annotated[str, expects(fields.git_commit)] | None = None
    compose_file: RelativePath
    env_file: RelativePath
    env_template: RelativePath | None = None
    """The repository's own list of the variables that it reads; each has to be provided."""
    project: Annotated[str, expects(fields.compose_project)]
    images: Literal["build", "pull"] = "build"
    migrations: Migrations | None = None
    directories: tuple[Directory, ...] = ()
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    health: Annotated[tuple[RequestPath, ...], Field(min_length=1)]

    @field_validator("routes")
    @classmethod
    def _distinct(cls, routes: tuple[Route, ...]) -> tuple[Route, ...]:
        ports = [route.port for route in routes]
        paths = [route.path for route in routes]
        for port in ports:
            if port in TAKEN_PORTS:
                raise expected(f"another port than {port}: {TAKEN_PORTS[port]} has it")
            if ports.count(port) > 1:
                raise expected(f"each port once: {port} stands in {ports.count(port)} routes")
        for path in paths:
            if paths.count(path) > 1:
                raise expected(f"each path once: {path} stands in {paths.count(path)} routes")
        return routes


class DatabaseRole(Model):
    """The role whose password a secret is, in a PostgreSQL that the workload runs itself."""

    service: ServiceName
    """The compose service of the database."""
    role: Word
    """The role's name; may refer to the environment, as `{{ POSTGRES_USER }}`."""
    name: Word
    """The database to connect to, likewise."""
    superuser: Word | None = None
    """Who changes the password, over the server's own socket; null where the role itself is one, as in the image."""


class SecretSetting(Model):
    """Where the value of one secret comes from, and what it has to look like."""

    source: Literal["config", "environment", "generated", "aws", "vault"]
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9/_+=.@:-]{1,2048}$")] | None = None
    """AWS Secrets Manager: the secret's name or ARN."""
    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_. -]+)+$")] | None = None
    """Vault: the mount of a KV version 2 engine and the path below it, as `vault kv get` takes them."""
    key: Word | None = None
    """AWS: a key of a secret that is a JSON object; null takes the whole text. Vault: null means the secret's name."""
    length: Annotated[int, Field(ge=24, le=128)] = 32
    """How long a generated value is; its alphabet is A-Z a-z 0-9 _ -, or the digits of `hex`."""
    generation: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Raise it to have a generated value made anew; `greenroom secrets rotate` does."""
    min_length: Annotated[int, Field(ge=1, le=4096)] = 8
    """The shortest value that is believed."""
    alphabet: Literal["any", "printable", "url-safe", "hex", "base64"] = "any"
    """Of which characters a value may be made."""
    pattern: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """A regular expression that the whole value has to match."""
    database: DatabaseRole | None = None
    """Where the secret is the password of a database's role: a new value is set there before anybody uses it."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise expected(f"a regular expression ({error})") from None
        return value

    @model_validator(mode="after")
    def _fits_its_source(self) -> SecretSetting:
        given = self.model_fields_set
        if (self.source == "aws") != (self.id is not None):
            raise expected("an id with source aws, and only there")
        if (self.source == "vault") != (self.path is not None):
            raise expected("a path such as secret/tsh-erp with source vault, and only there")
        if self.key is not None and self.source not in ("aws", "vault"):
            raise expected("a key with source aws or vault only")
        if self.source != "generated" and given & {"length", "generation"}:
            raise expected("length and generation with source generated only")
        if self.source == "generated" and (self.pattern or self.alphabet not in ("any", "url-safe", "hex")):
            raise expected("no pattern and no other alphabet than url-safe or hex for what is generated")
        return self


class LocalCloud(Model):
    """What a stack on the local cloud is given: directories published there as git repositories, by name."""

    publish: dict[ServiceName, RelativePath] = Field(default_factory=dict)


class Waiver(Model):
    """A security check that this stack need not meet, why, and until when. After that day it counts as none."""

    check: Annotated[str, Field(pattern=r"^(docker|debian|greenroom)-[0-9]+(\.[0-9]+)*$")]
    """The check's number, as `greenroom verify --security` prints it: docker-2.9."""
    service: ServiceName | None = None
    """The one service of the workload that it is about; null for all of them, and for the host."""
    reason: Annotated[str, Field(min_length=12, max_length=1024, pattern=r"^[^\x00-\x1f]+$")]
    until: date
    """The last day, in quotes: "2027-03-31"."""


class Settings(Model):
    """All settings of a stack."""

    domain: Domain
    admin_email: Email
    protect: bool = True
    cloud: Literal["digitalocean", "local"] = "digitalocean"
    local_cloud: LocalCloud | None = None
    droplet: DropletSettings
    network: Network
    dns: Dns | None = None
    volume: VolumeSettings
    alerts: Alerts
    host: Host
    hardening: Hardening = Field(default_factory=Hardening)
    workload: Workload
    environment: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)
    secrets: dict[str, SecretSetting] = Field(default_factory=dict)
    acceptance: RelativePath | None = None
    healing: HealingSettings = Field(default_factory=HealingSettings)
    waivers: tuple[Waiver, ...] = ()

    @field_validator("environment", "secrets")
    @classmethod
    def _names(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in values:
            if not SECRET_NAME.fullmatch(name):
                raise expected(f"names such as DATABASE_URL, not {name[:40]!r}")
        return values

    @field_validator("waivers")
    @classmethod
    def _one_each(cls, waivers: tuple[Waiver, ...]) -> tuple[Waiver, ...]:
        named = [(each.check, each.service) for each in waivers]
        for check, service in named:
            if named.count((check, service)) > 1:
                raise expected(f"each check once: {check} is waived {named.count((check, service))} times")
        return waivers

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        zone = self.dns.zone if self.dns else None
        if zone and self.domain != zone and not self.domain.endswith(f".{zone}"):
            raise expected(f"domain inside dns.zone ({zone}), not {self.domain}")
        if self.cloud == "local" and self.droplet.reserved_ip:
            raise expected("no droplet.reservedIp on the local cloud: it hands out its own addresses")
        both = sorted(set(self.environment) & set(self.secrets))
        if both:
            raise expected(f"each name either in environment or in secrets: {', '.join(both)}")
        for setting, name in self.healing.escalation.secrets.items():
            if name not in self.secrets or self.secrets[name].source == "generated":
                raise expected(
                    f"{name} of healing.escalation.{setting} under secrets, with a source other than generated"
                )
        return self

    @property
    def workload_secrets(self) -> dict[str, SecretSetting]:
        """Give the secrets that go to the droplet: all but those that Greenroom needs for itself."""
        own = set(self.healing.escalation.secrets.values())
        return {name: each for name, each in self.secrets.items() if name not in own}
