"""The resource types, one a module, each loaded when the first resource of its type turns up."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.provider.resources.base import Resource

MODULES = {
    "digitalocean:index/dnsRecord:DnsRecord": "dns_record",
    "digitalocean:index/domain:Domain": "domain",
    "digitalocean:index/droplet:Droplet": "droplet",
    "digitalocean:index/firewall:Firewall": "firewall",
    "digitalocean:index/monitorAlert:MonitorAlert": "monitor_alert",
    "digitalocean:index/project:Project": "project",
    "digitalocean:index/projectResources:ProjectResources": "project_resources",
    "digitalocean:index/reservedIp:ReservedIp": "reserved_ip",
    "digitalocean:index/reservedIpAssignment:ReservedIpAssignment": "reserved_ip_assignment",
    "digitalocean:index/sshKey:SshKey": "ssh_key",
    "digitalocean:index/tag:Tag": "tag",
    "digitalocean:index/volume:Volume": "volume",
    "digitalocean:index/volumeAttachment:VolumeAttachment": "volume_attachment",
    "digitalocean:index/vpc:Vpc": "vpc",
}
"""The module of each type."""


@cache
def find(token: str) -> Resource:
    """Give the resource of a Pulumi type; KeyError if this provider has none."""
    module = importlib.import_module(f"{__name__}.{MODULES[token]}")
    resource: type[Resource] = getattr(module, token.rsplit(":", 1)[1])
    return resource()
