"""All of the stack's cloud resources in one component, in the order in which they need each other."""

from __future__ import annotations

__all__ = ["Cloud"]

from typing import TYPE_CHECKING

import pulumi

from infra.cloud import sdk as digitalocean
from infra.cloud.address import Name, PublicAddress
from infra.cloud.machine import Login, Machine, Storage
from infra.cloud.network import Firewall, Network
from infra.cloud.watch import Alerts

if TYPE_CHECKING:
    from infra.cloud.naming import Names
    from infra.settings import Settings


class Cloud(pulumi.ComponentResource):
    """Network, storage, machine, address, name, alerts, and the project that shows them together."""

    def __init__(self, names: Names, settings: Settings, login: Login) -> None:
        super().__init__("greenroom:cloud:Cloud", "cloud")
        below = pulumi.ResourceOptions(parent=self)
        network = Network(names, settings, below)
        firewall = Firewall(names, below)
        storage = Storage(names, settings, below)
        machine = Machine(
            names,
            settings,
            login,
            vpc_id=network.vpc_id,
            volume_id=storage.volume_id,
            tag=firewall.tag,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[firewall]),
        )
        self.droplet = machine.droplet
        public = PublicAddress(settings, machine.droplet, below)
        self.address = public.address
        self.name = Name(settings, public.address, below)
        Alerts(names, settings, machine.droplet, below)
        owned = [machine.droplet.droplet_urn, storage.urn_in_account, public.urn_in_account, self.name.urn_in_account]
        digitalocean.Project(
            "project",
            name=names.prefix,
            description=f"Everything of the stack {names.stack}",
            purpose="Web Application",
            environment="Staging",
            resources=[urn for urn in owned if urn is not None],
            opts=below,
        )
        self.register_outputs({"address": self.address})
