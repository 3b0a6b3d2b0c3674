"""The twelve DigitalOcean resources that the stack is made of, as thin classes of our own.

They register the very types, properties and plugin version that the official SDK's classes do, so state and provider
see no difference. The SDK itself is left out of the program because importing it builds two thousand classes, which
takes longer than everything else in a run without changes. A test holds each class against the SDK's own.
"""

from __future__ import annotations

__all__ = [
    "DnsRecord",
    "Domain",
    "Droplet",
    "Firewall",
    "MonitorAlert",
    "Project",
    "ReservedIp",
    "ReservedIpAssignment",
    "SshKey",
    "Tag",
    "Volume",
    "Vpc",
]

from typing import TYPE_CHECKING, Any, ClassVar

import pulumi
from pulumi import Input, Output, ResourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = "4.84.1"
"""The plugin version that the official SDK of the lock file asks for."""


class DigitalOceanResource(pulumi.CustomResource):
    """Spells properties as the provider does; what a subclass annotates as `Output` comes back."""

    token: ClassVar[str]
    results: ClassVar[tuple[str, ...]] = ()
    """Outputs that are no inputs."""

    def __init__(self, name: str, properties: Mapping[str, Any], opts: ResourceOptions) -> None:
        everything = {**dict.fromkeys(self.results), **properties}
        versioned = ResourceOptions.merge(opts, ResourceOptions(version=VERSION))
        super().__init__(self.token, name, everything, versioned)

    def translate_input_property(self, prop: str) -> str:
        """Spell a Python name as the provider's: `port_range` is `portRange`."""
        first, *rest = prop.split("_")
        return first + "".join(word.capitalize() for word in rest)

    def translate_output_property(self, prop: str) -> str:
        """Spell a provider's name as Python's."""
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in prop)


class Vpc(DigitalOceanResource):
    """A private network."""

    token = "digitalocean:index/vpc:Vpc"  # noqa: S105 - a type's token, here and below

    def __init__(
        self, name: str, *, label: Input[str], region: str, ip_range: str, description: str, opts: ResourceOptions
    ) -> None:
        properties = {"name": label, "region": region, "ip_range": ip_range, "description": description}
        super().__init__(name, properties, opts)


class Tag(DigitalOceanResource):
    """A tag."""

    token = "digitalocean:index/tag:Tag"  # noqa: S105
    name: Output[str]

    def __init__(self, name: str, *, label: Input[str], opts: ResourceOptions) -> None:
        super().__init__(name, {"name": label}, opts)


class Firewall(DigitalOceanResource):
    """A cloud firewall, by tag. Rules are maps of `protocol`, `port_range` and source or destination addresses."""

    token = "digitalocean:index/firewall:Firewall"  # noqa: S105

    def __init__(
        self,
        name: str,
        *,
        label: Input[str],
        tags: Sequence[Input[str]],
        inbound_rules: Sequence[Mapping[str, Any]],
        outbound_rules: Sequence[Mapping[str, Any]],
        opts: ResourceOptions,
    ) -> None:
        properties = {"name": label, "tags": tags, "inbound_rules": inbound_rules, "outbound_rules": outbound_rules}
        super().__init__(name, properties, opts)


class SshKey(DigitalOceanResource):
    """A public key that droplets are made with."""

    token = "digitalocean:index/sshKey:SshKey"  # noqa: S105
    results = ("fingerprint",)
    fingerprint: Output[str]

    def __init__(self, name: str, *, label: Input[str], public_key: Input[str], opts: ResourceOptions) -> None:
        super().__init__(name, {"name": label, "public_key": public_key}, opts)


class Volume(DigitalOceanResource):
    """A block volume; `size` in GiB."""

    token = "digitalocean:index/volume:Volume"  # noqa: S105
    results = ("volume_urn",)
    volume_urn: Output[str]

    def __init__(
        self,
        name: str,
        *,
        label: Input[str],
        region: str,
        size: int,
        initial_filesystem_type: str,
        description: str,
        tags: Sequence[Input[str]],
        opts: ResourceOptions,
    ) -> None:
        properties = {
            "name": label,
            "region": region,
            "size": size,
            "initial_filesystem_type": initial_filesystem_type,
            "description": description,
            "tags": tags,
        }
        super().__init__(name, properties, opts)


class Droplet(DigitalOceanResource):
    """A machine."""

    token = "digitalocean:index/droplet:Droplet"  # noqa: S105
    results = ("ipv4_address", "droplet_urn")
    ipv4_address: Output[str]
    droplet_urn: Output[str]

    def __init__(
        self,
        name: str,
        *,
        label: Input[str],
        region: str,
        size: str,
        image: str,
        ssh_keys: Sequence[Input[str]],
        vpc_uuid: Input[str],
        volume_ids: Sequence[Input[str]],
        tags: Sequence[Input[str]],
        monitoring: bool,
        user_data: Input[str],
        opts: ResourceOptions,
    ) -> None:
        properties = {
            "name": label,
            "region": region,
            "size": size,
            "image": image,
            "ssh_keys": ssh_keys,
            "vpc_uuid": vpc_uuid,
            "volume_ids": volume_ids,
            "tags": tags,
            "monitoring": monitoring,
            "user_data": user_data,
        }
        super().__init__(name, properties, opts)


class ReservedIp(DigitalOceanResource):
    """A reserved address of a region."""

    token = "digitalocean:index/reservedIp:ReservedIp"  # noqa: S105
    results = ("ip_address", "reserved_ip_urn")
    ip_address: Output[str]
    reserved_ip_urn: Output[str]

    def __init__(self, name: str, *, region: str, opts: ResourceOptions) -> None:
        super().__init__(name, {"region": region}, opts)


class ReservedIpAssignment(DigitalOceanResource):
    """A reserved address pointed to a droplet."""

    token = "digitalocean:index/reservedIpAssignment:ReservedIpAssignment"  # noqa: S105
    ip_address: Output[str]

    def __init__(self, name: str, *, ip_address: Input[str], droplet_id: Input[int], opts: ResourceOptions) -> None:
        super().__init__(name, {"ip_address": ip_address, "droplet_id": droplet_id}, opts)


class Domain(DigitalOceanResource):
    """A DNS zone."""

    token = "digitalocean:index/domain:Domain"  # noqa: S105
    results = ("domain_urn",)
    name: Output[str]
    domain_urn: Output[str]

    def __init__(self, name: str, *, label: Input[str], opts: ResourceOptions) -> None:
        super().__init__(name, {"name": label}, opts)


class DnsRecord(DigitalOceanResource):
    """A record of a zone; `ttl` in seconds."""

    token = "digitalocean:index/dnsRecord:DnsRecord"  # noqa: S105

    def __init__(
        self,
        name: str,
        *,
        label: str,
        domain: Input[str],
        type: str,  # noqa: A002 - the provider's word
        value: Input[str],
        ttl: int,
        opts: ResourceOptions,
    ) -> None:
        properties = {"name": label, "domain": domain, "type": type, "value": value, "ttl": ttl}
        super().__init__(name, properties, opts)


class MonitorAlert(DigitalOceanResource):
    """An alert on a droplet's metric."""

    token = "digitalocean:index/monitorAlert:MonitorAlert"  # noqa: S105

    def __init__(
        self,
        name: str,
        *,
        type: str,  # noqa: A002 - the provider's word
        compare: str,
        value: float,
        window: str,
        enabled: bool,
        entities: Sequence[Input[str]],
        alerts: Mapping[str, Any],
        description: str,
        opts: ResourceOptions,
    ) -> None:
        properties = {
            "type": type,
            "compare": compare,
            "value": value,
            "window": window,
            "enabled": enabled,
            "entities": entities,
            "alerts": alerts,
            "description": description,
        }
        super().__init__(name, properties, opts)


class Project(DigitalOceanResource):
    """A project that shows resources together."""

    token = "digitalocean:index/project:Project"  # noqa: S105

    def __init__(
        self,
        name: str,
        *,
        label: Input[str],
        description: str,
        purpose: str,
        environment: str,
        resources: Sequence[Input[str]],
        opts: ResourceOptions,
    ) -> None:
        properties = {
            "name": label,
            "description": description,
            "purpose": purpose,
            "environment": environment,
            "resources": resources,
        }
        super().__init__(name, properties, opts)
