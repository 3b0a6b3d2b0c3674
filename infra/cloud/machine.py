"""The droplet, its login key and its data volume.

The volume is attached when the droplet is made, not by a resource of its own: that saves a poll of ten seconds, and
the data is there before anything looks for it. A volume can be on one droplet only, so a replaced droplet goes first.
"""

from __future__ import annotations

__all__ = ["Login", "Machine", "Storage"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra.bootstrap import BootstrapTemplate
from infra.cloud import sdk as digitalocean

if TYPE_CHECKING:
    from infra.cloud.naming import Names
    from infra.settings import Settings


@dataclass(frozen=True)
class Login:
    """What lets the controller in: the public key the droplet gets, and the user data that pins its first host key."""

    public_key: pulumi.Input[str]
    user_data: pulumi.Input[str]


class Storage(pulumi.ComponentResource):
    """The volume that outlives droplets."""

    def __init__(self, names: Names, settings: Settings, opts: pulumi.ResourceOptions) -> None:
        super().__init__("greenroom:cloud:Storage", "storage", None, opts)
        volume = digitalocean.Volume(
            "volume",
            name=names.volume,
            region=settings.droplet.region,
            size=settings.volume.size_gib,
            initial_filesystem_type="ext4",
            description=f"Data of {names.prefix}",
            tags=[names.tag],
            opts=pulumi.ResourceOptions(parent=self, protect=settings.protect),
        )
        self.volume_id = volume.id
        self.urn_in_account = volume.volume_urn
        self.register_outputs({"volumeId": volume.id})


class Machine(pulumi.ComponentResource):
    """The droplet."""

    def __init__(
        self,
        names: Names,
        settings: Settings,
        login: Login,
        *,
        vpc_id: pulumi.Input[str],
        volume_id: pulumi.Input[str],
        tag: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("greenroom:cloud:Machine", "machine", None, opts)
        below = pulumi.ResourceOptions(parent=self)
        key = digitalocean.SshKey("key", name=names.prefix, public_key=login.public_key, opts=below)
        self.droplet = digitalocean.Droplet(
            "droplet",
            name=names.prefix,
            region=settings.droplet.region,
            size=settings.droplet.size,
            image=settings.droplet.image,
            ssh_keys=[key.fingerprint],
            vpc_uuid=vpc_id,
            volume_ids=[volume_id],
            tags=[tag],
            monitoring=True,
            user_data=login.user_data,
            opts=pulumi.ResourceOptions(parent=self, protect=settings.protect, delete_before_replace=True),
        )
        BootstrapTemplate("template", generation=settings.droplet.generation, opts=below)
        self.register_outputs({"dropletId": self.droplet.id})
