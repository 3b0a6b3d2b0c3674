"""The public face: a reserved address that survives the droplet, and the name that points to it."""

from __future__ import annotations

__all__ = ["Name", "PublicAddress"]

from typing import TYPE_CHECKING

import pulumi

from infra.cloud import sdk as digitalocean

if TYPE_CHECKING:
    from infra.settings import Settings

TTL_S = 300


class PublicAddress(pulumi.ComponentResource):
    """A reserved IP, the account's own or one of the stack's, assigned to the droplet."""

    def __init__(self, settings: Settings, droplet: digitalocean.Droplet, opts: pulumi.ResourceOptions) -> None:
        super().__init__("greenroom:cloud:PublicAddress", "public-address", None, opts)
        self.urn_in_account: pulumi.Output[str] | None = None
        address: pulumi.Input[str]
        if settings.droplet.reserved_ip:
            address = settings.droplet.reserved_ip
        else:
            reserved = digitalocean.ReservedIp(
                "reserved-ip",
                region=settings.droplet.region,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    protect=settings.protect,
                    # Assigned by the resource below: without this a refresh would see the assignment as drift.
                    ignore_changes=["dropletId"],
                ),
            )
            self.urn_in_account = reserved.reserved_ip_urn
            address = reserved.ip_address
        assignment = digitalocean.ReservedIpAssignment(
            "assignment",
            ip_address=address,
            droplet_id=droplet.id.apply(int),
            opts=pulumi.ResourceOptions(parent=self, deleted_with=droplet),
        )
        self.address = assignment.ip_address
        self.register_outputs({"address": self.address})


class Name(pulumi.ComponentResource):
    """The stack's record in its zone, and the zone where the stack owns it."""

    def __init__(self, settings: Settings, address: pulumi.Input[str], opts: pulumi.ResourceOptions) -> None:
        super().__init__("greenroom:cloud:Name", "name", None, opts)
        self.urn_in_account: pulumi.Output[str] | None = None
        if settings.dns:
            zone: pulumi.Input[str] = settings.dns.zone
            if settings.dns.manage:
                domain = digitalocean.Domain(
                    "zone",
                    name=settings.dns.zone,
                    opts=pulumi.ResourceOptions(parent=self, protect=settings.protect),
                )
                zone, self.urn_in_account = domain.name, domain.domain_urn
            digitalocean.DnsRecord(
                "record",
                domain=zone,
                type="A",
                name=settings.domain.removesuffix(settings.dns.zone).rstrip(".") or "@",
                value=address,
                ttl=TTL_S,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
