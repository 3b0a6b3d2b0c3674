"""One site as a program would declare it: each kind's inputs, a change in place, and a change that replaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from providerlab import Made, Plugin

    from localcloud.provider.values import Properties

ANYWHERE = ["0.0.0.0/0", "::/0"]
CLOUD_CONFIG = "#cloud-config\nusers: [{name: canary-user-data}]\n"


def public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " lab\n"


def inbound(port: int | str, *sources: str) -> dict[str, Any]:
    return {"protocol": "tcp", "portRange": str(port), "sourceAddresses": list(sources or ANYWHERE)}


OUTBOUND = [{"protocol": "tcp", "portRange": "all", "destinationAddresses": ANYWHERE}]


@dataclass
class Site:
    """Resources made in order; later ones refer to earlier ones."""

    plugin: Plugin
    prefix: str
    network: int
    made: dict[str, Made] = field(default_factory=dict)

    def add(self, label: str, kind: str, **inputs: Any) -> Made:
        self.made[label] = self.plugin.create(kind, inputs, name=f"{self.prefix}-{label}")
        return self.made[label]

    def build(self) -> dict[str, Made]:
        prefix = self.prefix
        vpc = self.add("vpc", "Vpc", name=f"{prefix}-net", region="fra1", ipRange=f"10.{self.network}.0.0/24")
        key = self.add("key", "SshKey", publicKey=public_key())
        volume = self.add("volume", "Volume", region="FRA1", size=20, initialFilesystemType="ext4", tags=["staging"])
        droplet = self.add(
            "droplet",
            "Droplet",
            name=f"{prefix}-web",
            region="fra1",
            size="s-2vcpu-4gb",
            image="debian-13-x64",
            sshKeys=[key.id],
            vpcUuid=vpc.id,
            volumeIds=[volume.id],
            monitoring=True,
            tags=["staging", "Web"],
            userData=CLOUD_CONFIG,
        )
        self.add(
            "firewall",
            "Firewall",
            dropletIds=[droplet.id],
            inboundRules=[inbound(22), inbound(443), inbound(80)],
            outboundRules=OUTBOUND,
        )
        address = self.add("address", "ReservedIp", region="fra1")
        self.add("assignment", "ReservedIpAssignment", ipAddress=address.id, dropletId=droplet.id)
        self.add("held", "ReservedIp", region="fra1", dropletId=droplet.id)
        domain = self.add("domain", "Domain", name=f"{prefix}.example.com")
        value = droplet.outputs["ipv4Address"]
        self.add("record", "DnsRecord", domain=domain.id, type="A", name="staging", value=value, ttl=300)
        self.add("mail", "DnsRecord", domain=domain.id, type="MX", name="@", value="mail.example.com.", priority=10)
        self.add(
            "alert",
            "MonitorAlert",
            type="v1/insights/droplet/cpu",
            compare="GreaterThan",
            description="CPU",
            value=80,
            window="5m",
            entities=[droplet.id],
            alerts={"emails": ["ops@example.com"]},
        )
        project = self.add("project", "Project", name=f"{prefix}-site", environment="Staging", description="Lab")
        urns = [droplet.outputs["dropletUrn"], volume.outputs["volumeUrn"], domain.outputs["domainUrn"]]
        self.add("inside", "ProjectResources", project=project.id, resources=urns)
        self.add("tag", "Tag", name=f"{prefix}-tag")
        spare = self.add("spare", "Volume", region="fra1", size=5, name=f"{prefix}-spare")
        self.add("attachment", "VolumeAttachment", dropletId=droplet.id, volumeId=spare.id)
        return self.made


UPDATES: dict[str, Properties] = {
    "vpc": {"description": "New words"},
    "key": {"name": "renamed"},
    "volume": {"size": 30, "tags": ["staging", "data"]},
    "droplet": {"name": "renamed-web", "size": "s-4vcpu-8gb", "tags": ["staging"], "ipv6": True},
    "firewall": {"inboundRules": [inbound(22, "203.0.113.7/32"), inbound(443)]},
    "held": {"dropletId": None},
    "record": {"ttl": 600, "value": "203.0.113.9"},
    "mail": {"priority": 20},
    "alert": {"value": 92.5, "enabled": False, "alerts": {"emails": ["ops@example.com", "two@example.com"]}},
    "project": {"purpose": "Something of our own", "environment": "Production"},
    "inside": {"resources": []},
}
REPLACEMENTS: dict[str, tuple[Properties, list[str]]] = {
    "vpc": ({"ipRange": "10.250.0.0/24", "region": "ams3"}, ["ipRange", "region"]),
    "key": (
        {"publicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA other"},
        ["publicKey"],
    ),
    "volume": ({"name": "other"}, ["name"]),
    "droplet": ({"image": "debian-12-x64", "userData": "#!/bin/sh\n"}, ["image", "userData"]),
    "address": ({"region": "ams3"}, ["region"]),
    "assignment": ({"dropletId": 7}, ["dropletId"]),
    "domain": ({"name": "other.example.com"}, ["name"]),
    "record": ({"type": "AAAA", "value": "::1"}, ["type"]),
    "inside": ({"project": "other"}, ["project"]),
    "tag": ({"name": "other"}, ["name"]),
    "attachment": ({"volumeId": "other"}, ["volumeId"]),
}
