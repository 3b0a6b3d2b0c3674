"""Snapshots of droplets: the private images under their second name, with their ids as strings."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from typing import TYPE_CHECKING

from localcloud.digitalocean import images
from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import not_found

if TYPE_CHECKING:
    from localcloud.digitalocean.store import Document


def render(image: Document) -> Document:
    """Return a private image as a snapshot."""
    return {
        "id": str(image["id"]),
        "name": image["name"],
        "created_at": image["created_at"],
        "regions": image["regions"],
        "min_disk_size": image["min_disk_size"],
        "size_gigabytes": image["size_gigabytes"],
        "resource_id": str(image["droplet_id"]),
        "resource_type": "droplet",
        "tags": image["tags"],
    }


def find(call: Call) -> Document:
    """Return the snapshot of the path; 404 when there is none."""
    image = call.cloud.store.get("image", call.path["snapshot_id"])
    if image is None:
        raise not_found()
    return image


def index(call: Call) -> Reply:
    """List the snapshots, all or of one resource type."""
    kind = call.query.text("resource_type", "")
    return page(call, "snapshots", call.cloud.store.all("image") if kind in {"", "droplet"} else [], render)


def show(call: Call) -> Reply:
    """Show a snapshot."""
    return Reply({"snapshot": render(find(call))})


def delete(call: Call) -> Reply:
    """Remove a snapshot."""
    images.forget(call.cloud, find(call))
    return Reply(status=204)


ENDPOINTS = (
    Endpoint("GET", "/v2/snapshots", index),
    Endpoint("GET", "/v2/snapshots/{snapshot_id}", show),
    Endpoint("DELETE", "/v2/snapshots/{snapshot_id}", delete, atomic=False),
)
