"""Images: the public ones of the catalogue, and snapshots that droplets left behind."""

from __future__ import annotations

__all__ = ["ENDPOINTS", "find", "forget", "reference", "store_snapshot"]

from typing import TYPE_CHECKING

from localcloud.digitalocean import actions, tags
from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import ApiError, forbidden, not_found, unprocessable

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

FIRST_ID = 180_000_001
HIDDEN = {"reference", "droplet_id"}
SNAPSHOT_GIGABYTES = 0.8


def find(cloud: ControlPlane, identifier: str | int) -> Document:
    """Return the image of that number or slug; 404 when there is none."""
    text = str(identifier)
    if text.isdecimal():
        image = cloud.catalogue.image_by_id(int(text)) or cloud.store.get("image", text)
    else:
        image = cloud.catalogue.images.get(text)
    if image is None:
        raise not_found()
    return image


def reference(cloud: ControlPlane, image: Document) -> str:
    """Return what the machine host boots for an image; 422 when it can't boot it."""
    found = image.get("reference") or cloud.images(image["slug"] or "")
    if not found:
        bootable = [slug for slug in cloud.catalogue.images if cloud.images(slug)]
        raise unprocessable(
            f"image {image['slug']!r} is not bootable in this local cloud; bootable: {', '.join(bootable)}"
        )
    return found


def store_snapshot(
    cloud: ControlPlane, droplet: Document, *, name: str, number: int, reference: str, at: str
) -> Document:
    """Keep a droplet's snapshot as a private image. `at` is the second in which its action started: clients compare."""
    image = {
        "id": number,
        "name": name,
        "distribution": droplet["image"]["distribution"],
        "slug": None,
        "public": False,
        "regions": [droplet["region"]],
        "created_at": at,
        "type": "snapshot",
        "min_disk_size": droplet["disk"],
        "size_gigabytes": SNAPSHOT_GIGABYTES,
        "description": "",
        "tags": [],
        "status": "available",
        "error_message": "",
        "reference": reference,
        "droplet_id": droplet["id"],
    }
    return cloud.store.put("image", number, image)


def forget(cloud: ControlPlane, image: Document) -> None:
    """Remove a private image from state and machine host."""
    cloud.machines.delete_image(image["reference"])
    cloud.store.remove("image", image["id"])


def render(image: Document) -> Document:
    """Return the image as the API shows it."""
    return {name: value for name, value in image.items() if name not in HIDDEN}


def index(call: Call) -> Reply:
    """List the images: all, private ones, those of a type or of a tag."""
    private, kind = call.query.flag("private"), call.query.text("type", "")
    tag = call.query.text("tag_name", "")
    public = [] if private or tag or kind == "application" else list(call.cloud.catalogue.images.values())
    own = [] if kind else call.cloud.store.all("image")
    if tag:
        own = tags.tagged(call.cloud, "image", tag)
    return page(call, "images", [*public, *own], render)


def show(call: Call) -> Reply:
    """Show an image by number or slug."""
    return Reply({"image": render(find(call.cloud, call.path["image_id"]))})


def own(call: Call) -> Document:
    """Return the private image of the path; 403 for a public one."""
    image = find(call.cloud, call.path["image_id"])
    if image["public"]:
        raise forbidden("You are not authorized to perform this operation")
    return image


def change(call: Call) -> Reply:
    """Rename or describe a private image."""
    image, body = own(call), call.body
    image["name"] = body.text("name", image["name"])
    image["distribution"] = body.text("distribution", image["distribution"])
    image["description"] = body.text("description", image["description"])
    return Reply({"image": render(call.cloud.store.put("image", image["id"], image))})


def delete(call: Call) -> Reply:
    """Remove a private image."""
    forget(call.cloud, own(call))
    return Reply(status=204)


def custom(_call: Call) -> Reply:
    """Refuse to import an image: this cloud boots what it builds itself."""
    raise ApiError(403, "Custom images can not be imported into this local cloud")


def act(call: Call) -> Reply:
    """Copy an image to a region, or turn a backup into a snapshot; both are done at once here."""
    image, kind = own(call), call.body.choice("type", ("transfer", "convert"))
    owner = f"image:{image['id']}"
    if kind == "transfer":
        region = call.cloud.catalogue.region(call.body.text("region"))["slug"]
        image["regions"] = list(dict.fromkeys([*image["regions"], region]))
        call.cloud.store.put("image", image["id"], image)
    action = actions.begin(call.cloud, kind, owner=owner, region=image["regions"][-1])
    return Reply({"action": actions.render(call.cloud, actions.end(call.cloud, action["id"]))}, 201)


def list_actions(call: Call) -> Reply:
    """List what was done to an image."""
    found = actions.owned_by(call.cloud, f"image:{find(call.cloud, call.path['image_id'])['id']}")
    return page(call, "actions", found, lambda item: actions.render(call.cloud, item))


def show_action(call: Call) -> Reply:
    """Show one thing done to an image."""
    return actions.find_owned(call, f"image:{find(call.cloud, call.path['image_id'])['id']}")


ENDPOINTS = (
    Endpoint("GET", "/v2/images", index),
    Endpoint("POST", "/v2/images", custom),
    Endpoint("GET", "/v2/images/{image_id}", show),
    Endpoint("PUT", "/v2/images/{image_id}", change),
    Endpoint("DELETE", "/v2/images/{image_id}", delete, atomic=False),
    Endpoint("GET", "/v2/images/{image_id}/actions", list_actions),
    Endpoint("POST", "/v2/images/{image_id}/actions", act),
    Endpoint("GET", "/v2/images/{image_id}/actions/{action_id}", show_action),
)
