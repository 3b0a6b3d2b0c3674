"""The private network, and the firewall in front of it: 22, 80 and 443 come in, nothing else does."""

from __future__ import annotations

__all__ = ["OPEN_PORTS", "Firewall", "Network"]

from typing import TYPE_CHECKING

import pulumi

from infra.cloud import sdk as digitalocean

if TYPE_CHECKING:
    from infra.cloud.naming import Names
    from infra.settings import Settings

OPEN_PORTS = (22, 80, 443)
ANYWHERE = ["0.0.0.0/0", "::/0"]


class Network(pulumi.ComponentResource):
    """A VPC of the stack's own."""

    def __init__(self, names: Names, settings: Settings, opts: pulumi.ResourceOptions) -> None:
        super().__init__("greenroom:cloud:Network", "network", None, opts)
        vpc = digitalocean.Vpc(
            "vpc",
            name=names.prefix,
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
        tag = digitalocean.Tag("tag", name=names.tag, opts=below)
        firewall = digitalocean.Firewall(
            "firewall",
            name=names.prefix,
            tags=[tag.name],
            inbound_rules=[
                digitalocean.FirewallInboundRuleArgs(protocol="tcp", port_range=str(port), source_addresses=ANYWHERE)
                for port in OPEN_PORTS
            ],
            outbound_rules=[
                digitalocean.FirewallOutboundRuleArgs(
                    protocol=protocol, port_range=ports, destination_addresses=ANYWHERE
                )
                for protocol, ports in (("tcp", "1-65535"), ("udp", "1-65535"), ("icmp", None))
            ],
            opts=below,
        )
        self.tag = tag.name
        self.firewall_id = firewall.id
        self.register_outputs({"firewallId": firewall.id})
