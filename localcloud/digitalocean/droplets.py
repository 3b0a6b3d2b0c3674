"""Droplets: listing, showing, destroying, and the small reads around them."""

from __future__ import annotations

__all__ = ["ENDPOINTS", "destroy", "observed"]

import logging
from typing import TYPE_CHECKING

from localcloud.digitalocean import (
    droplet_create,
    droplet_view,
    images,
    projects,
    reserved_ips,
    snapshots,
    tags,
    volumes,
)
from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.droplet_actions import find
from localcloud.digitalocean.errors import PENDING_EVENT, ApiError, unprocessable

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

log = logging.getLogger("greenroom.cloud")

STATUS = {"running": "active", "off": "off", "missing": "off"}
"""What a droplet is when its machine is that."""
DESTROYING = 0
"""The event of a droplet that is going: it has no action of its own."""


def index(call: Call) -> Reply:
    """List the droplets: all, or those of a tag or a name."""
    tag, name = call.query.text("tag_name", ""), call.query.text("name", "")
    found = tags.tagged(call.cloud, "droplet", tag) if tag else call.cloud.store.all("droplet")
    found = [droplet for droplet in found if not name or droplet["name"] == name]
    if call.query.text("type", "droplets") == "gpus":
        found = []
    return page(call, "droplets", found, lambda item: droplet_view.render(call.cloud, observed(call.cloud, item)))


def show(call: Call) -> Reply:
    """Show a droplet."""
    return Reply({"droplet": droplet_view.render(call.cloud, observed(call.cloud, find(call)))})


def observed(cloud: ControlPlane, droplet: Document) -> Document:
    """Return a droplet with the status that its machine has now: a system may have switched itself off."""
    if droplet["event"] is not None:
        return droplet
    status = STATUS[cloud.machines.state(droplet["id"])]
    if status == droplet["status"]:
        return droplet
    with cloud.store.transaction():
        fresh = cloud.store.get("droplet", droplet["id"])
        if fresh is None or fresh["event"] is not None:
            return fresh or droplet
        log.warning("droplet %d is %s, not %s", droplet["id"], status, fresh["status"])
        return cloud.store.put("droplet", droplet["id"], {**fresh, "status": status})


def destroy(cloud: ControlPlane, number: int) -> None:
    """Destroy a droplet and everything that follows from it; when this returns, it is gone."""
    with cloud.store.transaction():
        droplet = cloud.store.get("droplet", number)
        if droplet is None:
            return
        if droplet["event"] is not None and not droplet["destroying"]:
            raise unprocessable(PENDING_EVENT)
        cloud.store.put("droplet", number, {**droplet, "event": DESTROYING, "destroying": True})
    try:
        cloud.machines.destroy(number)
    except Exception:
        cloud.store.put("droplet", number, {**droplet, "event": None, "destroying": False})
        raise
    with cloud.store.transaction():
        cloud.store.remove("droplet", number)
        volumes.release(cloud, number)
        reserved_ips.release(cloud, number)
        projects.withdraw(cloud, f"do:droplet:{number}")
        for firewall in cloud.store.all("firewall"):
            if number in firewall["droplet_ids"]:
                firewall["droplet_ids"].remove(number)
                cloud.store.put("firewall", firewall["id"], firewall)


def delete(call: Call) -> Reply:
    """Destroy the droplet of the path."""
    destroy(call.cloud, find(call)["id"])
    return Reply(status=204)


def delete_by_tag(call: Call) -> Reply:
    """Destroy every droplet of a tag."""
    for droplet in tags.tagged(call.cloud, "droplet", call.query.text("tag_name")):
        destroy(call.cloud, droplet["id"])
    return Reply(status=204)


def delete_with_resources(call: Call) -> Reply:
    """Destroy a droplet together with its volumes and snapshots; wants the header that says so."""
    if call.headers.get("x-dangerous", "").lower() != "true":
        raise ApiError(400, "the X-Dangerous header must be true")
    cloud, droplet = call.cloud, find(call)
    attached = cloud.store.where("volume", "droplet_id", droplet["id"])
    kept = cloud.store.where("image", "droplet_id", droplet["id"])
    destroy(cloud, droplet["id"])
    for volume in attached:
        cloud.machines.delete_volume(volume["id"])
        volumes.forget(cloud, volume)
    for image in kept:
        images.forget(cloud, image)
    return Reply(status=202)


def list_snapshots(call: Call) -> Reply:
    """List a droplet's snapshots."""
    found = call.cloud.store.where("image", "droplet_id", find(call)["id"])
    return page(
        call, "snapshots", found, lambda image: {**snapshots.render(image), "id": image["id"], "type": "snapshot"}
    )


def neighbors(call: Call) -> Reply:
    """List the droplets on the same hardware: all of them are."""
    own = find(call)["id"]
    others = [droplet for droplet in call.cloud.store.all("droplet") if droplet["id"] != own]
    return Reply({"droplets": [droplet_view.render(call.cloud, droplet) for droplet in others]})


def nothing_under(key: str) -> Endpoint:
    """Return the route of a list that is always empty here."""

    def empty(call: Call) -> Reply:
        find(call)
        return page(call, key, [])

    return Endpoint("GET", f"/v2/droplets/{{droplet_id}}/{key}", empty)


def backup_policy(call: Call) -> Reply:
    """Show what was asked for about backups."""
    droplet = find(call)
    enabled = "backups" in droplet["features"]
    policy: Document = {"droplet_id": droplet["id"], "backup_enabled": enabled}
    if enabled:
        policy |= {"backup_policy": droplet["backup_policy"] or {"plan": "daily", "hour": 0}}
        policy |= {"next_backup_window": None}
    return Reply({"policy": policy})


ENDPOINTS = (
    Endpoint("GET", "/v2/droplets", index, atomic=False),
    Endpoint("POST", "/v2/droplets", droplet_create.create, atomic=False),
    Endpoint("DELETE", "/v2/droplets", delete_by_tag, atomic=False, network=True),
    Endpoint("GET", "/v2/droplets/{droplet_id}", show, atomic=False),
    Endpoint("DELETE", "/v2/droplets/{droplet_id}", delete, atomic=False, network=True),
    Endpoint("GET", "/v2/droplets/{droplet_id}/snapshots", list_snapshots),
    Endpoint("GET", "/v2/droplets/{droplet_id}/neighbors", neighbors),
    Endpoint("GET", "/v2/droplets/{droplet_id}/backups/policy", backup_policy),
    Endpoint(
        "DELETE",
        "/v2/droplets/{droplet_id}/destroy_with_associated_resources/dangerous",
        delete_with_resources,
        atomic=False,
        network=True,
    ),
    nothing_under("backups"),
    nothing_under("kernels"),
)
