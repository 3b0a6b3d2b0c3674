"""How a droplet is shown. Region, size, image and networks are always objects: clients read them without looking."""

from __future__ import annotations

__all__ = ["mounts_of", "render"]

from typing import TYPE_CHECKING

from localcloud.digitalocean import addresses
from localcloud.machines.spec import VolumeMount

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

SHOWN = (
    "id",
    "name",
    "memory",
    "vcpus",
    "disk",
    "status",
    "created_at",
    "features",
    "size_slug",
    "image",
    "tags",
    "vpc_uuid",
)


def render(cloud: ControlPlane, droplet: Document) -> Document:
    """Return the droplet as the API shows it."""
    catalogue = cloud.catalogue
    volumes = cloud.store.where("volume", "droplet_id", droplet["id"])
    images = cloud.store.where("image", "droplet_id", droplet["id"])
    return {
        **{name: droplet[name] for name in SHOWN},
        "disk_info": [{"type": "local", "size": {"amount": droplet["disk"], "unit": "gib"}}],
        "locked": droplet["event"] is not None,
        "kernel": None,
        "backup_ids": [],
        "next_backup_window": None,
        "snapshot_ids": [image["id"] for image in images],
        "volume_ids": [volume["id"] for volume in volumes],
        "size": catalogue.sizes[droplet["size_slug"]],
        "networks": networks(cloud, droplet),
        "region": catalogue.regions[droplet["region"]],
    }


def networks(cloud: ControlPlane, droplet: Document) -> Document:
    """Return the addresses; none while the droplet is new, all of them from the moment it is active."""
    if droplet["status"] == "new":
        return {"v4": [], "v6": []}
    vpc = cloud.store.get("vpc", droplet["vpc_uuid"]) or {"ip_range": "10.0.0.0/8"}
    private = {"ip_address": droplet["private_ipv4"], **private_network(vpc["ip_range"]), "type": "private"}
    public = {
        "ip_address": droplet["public_ipv4"],
        "netmask": addresses.NETMASK,
        "gateway": addresses.gateway(cloud),
        "type": "public",
    }
    v6 = {"ip_address": droplet["public_ipv6"], "netmask": 64, "gateway": addresses.GATEWAY_V6, "type": "public"}
    return {
        "v4": [private, *([public] if droplet["public_ipv4"] else [])],
        "v6": [v6] if droplet["public_ipv6"] else [],
    }


def private_network(ip_range: str) -> Document:
    """Return netmask and gateway of a private network."""
    network = addresses.network(ip_range)
    return {"netmask": str(network.netmask), "gateway": str(network[1])}


def mounts_of(cloud: ControlPlane, droplet_id: int) -> tuple[VolumeMount, ...]:
    """Return a droplet's volumes as its machine mounts them."""
    return tuple(map(mount_of, cloud.store.where("volume", "droplet_id", droplet_id)))


def mount_of(volume: Document) -> VolumeMount:
    """Return one volume as a machine mounts it."""
    return VolumeMount(volume["id"], volume["name"], volume["filesystem_type"] or "ext4")
