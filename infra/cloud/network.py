"""The private network, and the firewall in front of it: 22, 80 and 443 come in, nothing else does."""

from __future__ import annotations

__all__ = ["OPEN_PORTS", "Firewall", "Network"]

from typing import TYPE_CHECKING

import pulumi

from infra.cloud import resources

if TYPE_CHECKING:
    from infra.cloud.naming import Names
    from infra.settings import Settings

OPEN_PORTS = (22, 80, 443)
ANYWHERE = ["0.0.0.0/0", "::/0"]


class Network(pulumi.ComponentResource):
    """A VPC of the stack's own."""

    def __init__(self, names: Names, settings: Settings, opts: pulumi.ResourceOptions) -> None:
        super().__init__("greenroom:cloud:Network", "network", None, opts)
        vpc = resources.Vpc(
            "vpc",
            label=names.prefix,
            region=settings.droplet.region,
            ip_range=settings.network.cidr,
            description=f"Private network of {names.prefix}",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.vpc_id = vpc.id
        self.register_outputs({"vpcId": vpc.id})


class Firewall(pulumi.ComponentResource):
    """The cloud firewall. It goes by the tag, so a droplet is behind it from its first second."""

    def __init__(self, names: Names, opts: pulumi.ResourceOptions) -> None:
        super().__init__("greenroom:cloud:Firewall", "firewall", None, opts)
        below = pulumi.ResourceOptions(parent=self)
        tag = resources.Tag("tag", label=names.tag, opts=below)
        firewall = resources.Firewall(
            "firewall",
            label=names.prefix,
            tags=[tag.name],
            inbound_rules=[
                {"protocol": "tcp", "port_range": str(port), "source_addresses": ANYWHERE} for port in OPEN_PORTS
            ],
            outbound_rules=[
                {"protocol": "tcp", "port_range": "1-65535", "destination_addresses": ANYWHERE},
                {"protocol": "udp", "port_range": "1-65535", "destination_addresses": ANYWHERE},
                {"protocol": "icmp", "destination_addresses": ANYWHERE},
            ],
            opts=below,
        )
        self.tag = tag.name
        self.firewall_id = firewall.id
        self.register_outputs({"firewallId": firewall.id})
