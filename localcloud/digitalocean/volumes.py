"""Volumes: block storage that outlives the droplets it is attached to, one at a time, in its own region."""

from __future__ import annotations

__all__ = ["ENDPOINTS", "attachable", "forget", "release"]

from typing import TYPE_CHECKING

from localcloud.digitalocean import actions, droplet_view, projects, tags
from localcloud.digitalocean.account import VOLUME_LIMIT
from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import ApiError, conflict, not_found, unprocessable
from localcloud.digitalocean.fields import Fields

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

NAME = r"[a-z][a-z0-9\-]{0,63}"
LARGEST_GIB = 16_384
LABEL_LIMITS = {"ext4": 16, "xfs": 12, "": 16}


def render(cloud: ControlPlane, volume: Document) -> Document:
    """Return the volume as the API shows it."""
    shown = {name: value for name, value in volume.items() if name != "droplet_id"}
    attached = [volume["droplet_id"]] if volume["droplet_id"] else []
    return {**shown, "region": cloud.catalogue.regions[volume["region"]], "droplet_ids": attached}


def find(call: Call) -> Document:
    """Return the volume of the path; 404 when there is none."""
    volume = call.cloud.store.get("volume", call.path["volume_id"])
    if volume is None:
        raise not_found()
    return volume


def by_name(cloud: ControlPlane, name: str, region: str) -> Document | None:
    """Return the volume of that name in that region, or None."""
    named = cloud.store.where("volume", "name", name)
    return next((volume for volume in named if volume["region"] == region.lower()), None)


def attachable(cloud: ControlPlane, entry: object, region: str) -> Document:
    """Return a volume that a new droplet names, as an id or as an object with id or name; 422 when it can't be had."""
    fields = Fields(entry if isinstance(entry, dict) else {"id": entry})
    volume = cloud.store.get("volume", fields.raw("id", "")) or by_name(cloud, fields.text("name", ""), region)
    if volume is None:
        raise unprocessable(f"Failed to resolve volume {entry!r}")
    check_free(volume, region)
    return volume


def check_free(volume: Document, region: str) -> None:
    """Raise 422 when a volume is attached already or lives elsewhere."""
    if volume["droplet_id"]:
        raise unprocessable(f"Volume {volume['name']} is already attached to a Droplet")
    if volume["region"] != region:
        raise unprocessable(f"Volume {volume['name']} is not in the Droplet's region")


def release(cloud: ControlPlane, droplet_id: int) -> None:
    """Detach every volume from a droplet that is gone."""
    for volume in cloud.store.where("volume", "droplet_id", droplet_id):
        cloud.store.put("volume", volume["id"], {**volume, "droplet_id": None})


def index(call: Call) -> Reply:
    """List the volumes: all, or those of a name, a region, or both."""
    found, name, region = call.cloud.store.all("volume"), call.query.text("name", ""), call.query.text("region", "")
    found = [volume for volume in found if not name or volume["name"] == name]
    found = [volume for volume in found if not region or volume["region"] == region.lower()]
    return page(call, "volumes", found, lambda item: render(call.cloud, item))


def described(call: Call) -> Document:
    """Return a new volume from what a request says."""
    cloud, body = call.cloud, call.body
    if cloud.store.count("volume") >= VOLUME_LIMIT:
        raise unprocessable("failed to create volume: volume/snapshot capacity limit exceeded")
    region = cloud.catalogue.region(body.text("region"))["slug"]
    name = body.text("name", pattern=NAME)
    if by_name(cloud, name, region):
        raise conflict("failed to create volume: a volume with this name already exists in the region")
    if "snapshot_id" in body:
        raise unprocessable("volume snapshots are not kept by this local cloud")
    size = body.integer("size_gigabytes", least=1)
    filesystem = body.choice("filesystem_type", ("ext4", "xfs"), "")
    if size > LARGEST_GIB:
        raise unprocessable(f"size_gigabytes must be at most {LARGEST_GIB}")
    return {
        "id": cloud.new_uuid(),
        "name": name,
        "description": body.text("description", ""),
        "size_gigabytes": size,
        "region": region,
        "created_at": cloud.now(),
        "tags": tags.canonical(cloud, body.texts("tags")),
        "filesystem_type": filesystem,
        "filesystem_label": body.text("filesystem_label", "", longest=LABEL_LIMITS[filesystem]),
        "droplet_id": None,
    }


def create(call: Call) -> Reply:
    """Make a volume; one that the machine host can't make was never there."""
    cloud = call.cloud
    with cloud.store.transaction():
        volume = described(call)
        cloud.store.put("volume", volume["id"], volume)
        projects.enrol(cloud, f"do:volume:{volume['id']}")
    try:
        cloud.machines.create_volume(volume["id"], volume["size_gigabytes"])
    except Exception:
        forget(cloud, volume)
        raise
    return Reply({"volume": render(cloud, volume)}, 201)


def forget(cloud: ControlPlane, volume: Document) -> None:
    """Take a volume out of the state."""
    with cloud.store.transaction():
        cloud.store.remove("volume", volume["id"])
        projects.withdraw(cloud, f"do:volume:{volume['id']}")


def show(call: Call) -> Reply:
    """Show a volume."""
    return Reply({"volume": render(call.cloud, find(call))})


def destroy(call: Call, volume: Document) -> Reply:
    """Remove a volume and what is on it; 409 while it is attached."""
    if volume["droplet_id"]:
        raise conflict("Volume is attached to a Droplet; detach it first")
    call.cloud.machines.delete_volume(volume["id"])
    forget(call.cloud, volume)
    return Reply(status=204)


def delete(call: Call) -> Reply:
    """Remove the volume of the path."""
    return destroy(call, find(call))


def delete_by_name(call: Call) -> Reply:
    """Remove the volume of a name and region."""
    volume = by_name(call.cloud, call.query.text("name"), call.query.text("region"))
    if volume is None:
        raise not_found()
    return destroy(call, volume)


def act(call: Call) -> Reply:
    """Attach, detach or grow the volume of the path."""
    return perform(call, find(call))


def act_by_name(call: Call) -> Reply:
    """Attach or detach a volume that is given by name."""
    volume = by_name(call.cloud, call.body.text("volume_name"), call.body.text("region", ""))
    if volume is None:
        raise not_found()
    return perform(call, volume)


def perform(call: Call, volume: Document) -> Reply:
    """Do one action on a volume; it is finished when it is answered."""
    call.body.accept("region", "tags")
    kind = call.body.choice("type", ("attach", "detach", "resize"))
    action = {"attach": attach, "detach": detach, "resize": resize}[kind](call, volume)
    return Reply({"action": actions.render(call.cloud, action)}, 202)


def droplet_named(call: Call) -> Document:
    """Return the droplet that the request names; 404 when there is none."""
    droplet = call.cloud.store.get("droplet", call.body.integer("droplet_id"))
    if droplet is None:
        raise not_found()
    return droplet


def attach(call: Call, volume: Document) -> Document:
    """Attach a volume to a droplet."""
    cloud = call.cloud
    with cloud.store.transaction():
        droplet = droplet_named(call)
        check_free(volume, droplet["region"])
        action = begin(cloud, "attach_volume", volume, droplet)
    return settle(cloud, action, volume, droplet["id"])


def detach(call: Call, volume: Document) -> Document:
    """Detach a volume from the droplet that has it."""
    cloud = call.cloud
    with cloud.store.transaction():
        droplet = droplet_named(call)
        if volume["droplet_id"] != droplet["id"]:
            raise unprocessable("Attachment not found")
        action = begin(cloud, "detach_volume", volume, droplet)
    return settle(cloud, action, volume, None)


def begin(cloud: ControlPlane, kind: str, volume: Document, droplet: Document | None) -> Document:
    """Open an action of a volume."""
    return actions.begin(cloud, kind, owner=f"volume:{volume['id']}", region=volume["region"], droplet=droplet)


def settle(cloud: ControlPlane, action: Document, volume: Document, droplet_id: int | None) -> Document:
    """Let the machine host attach or detach, then show it; a refusal is passed on and leaves the volume as it was."""
    mount = droplet_view.mount_of(volume)
    try:
        if droplet_id:
            cloud.machines.attach(droplet_id, mount)
        else:
            cloud.machines.detach(volume["droplet_id"], mount)
    except Exception as error:
        actions.end(cloud, action["id"], failure=str(error))
        raise ApiError(422, f"{action['type']} failed: {error}") from error
    with cloud.store.transaction():
        cloud.store.put("volume", volume["id"], {**volume, "droplet_id": droplet_id})
        return actions.end(cloud, action["id"])


def resize(call: Call, volume: Document) -> Document:
    """Grow a volume."""
    wanted = call.body.integer("size_gigabytes", least=1)
    if not volume["size_gigabytes"] <= wanted <= LARGEST_GIB:
        raise unprocessable(f"size_gigabytes must be between {volume['size_gigabytes']} and {LARGEST_GIB}")
    with call.cloud.store.transaction():
        action = begin(call.cloud, "resize", volume, None)
        call.cloud.store.put("volume", volume["id"], {**volume, "size_gigabytes": wanted})
        return actions.end(call.cloud, action["id"])


def list_actions(call: Call) -> Reply:
    """List what was done to a volume."""
    found = actions.owned_by(call.cloud, f"volume:{find(call)['id']}")
    return page(call, "actions", found, lambda item: actions.render(call.cloud, item))


def show_action(call: Call) -> Reply:
    """Show one thing done to a volume."""
    return actions.find_owned(call, f"volume:{find(call)['id']}")


def no_snapshots(call: Call) -> Reply:
    """List a volume's snapshots: this cloud keeps none."""
    find(call)
    return page(call, "snapshots", [])


ENDPOINTS = (
    Endpoint("GET", "/v2/volumes", index),
    Endpoint("POST", "/v2/volumes", create, atomic=False),
    Endpoint("DELETE", "/v2/volumes", delete_by_name, atomic=False),
    Endpoint("POST", "/v2/volumes/actions", act_by_name, atomic=False),
    Endpoint("GET", "/v2/volumes/{volume_id}", show),
    Endpoint("DELETE", "/v2/volumes/{volume_id}", delete, atomic=False),
    Endpoint("GET", "/v2/volumes/{volume_id}/actions", list_actions),
    Endpoint("POST", "/v2/volumes/{volume_id}/actions", act, atomic=False),
    Endpoint("GET", "/v2/volumes/{volume_id}/actions/{action_id}", show_action),
    Endpoint("GET", "/v2/volumes/{volume_id}/snapshots", no_snapshots),
)
