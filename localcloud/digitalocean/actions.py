"""Actions: what happens to a resource over time, and the rule of one event at a time per droplet.

`begin` writes the action and marks the droplet busy; `end` closes it and frees the droplet, in the instant in which the
caller's change becomes visible. `completed_at` and `status` are always set together: clients wait on either.
"""

from __future__ import annotations

__all__ = ["ENDPOINTS", "begin", "end", "find_owned", "link", "owned_by", "render"]

from typing import TYPE_CHECKING

from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import PENDING_EVENT, not_found, unprocessable

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

FIRST_ID = 2_100_000_001


def begin(
    cloud: ControlPlane, kind: str, *, owner: str, region: str, droplet: Document | None = None, at: str = ""
) -> Document:
    """Open an action for `owner` ("droplet:7", "volume:<id>", …); 422 when the droplet involved is busy."""
    with cloud.store.transaction():
        number = cloud.store.next_id("action", FIRST_ID)
        if droplet is not None:
            if droplet["event"] is not None:
                raise unprocessable(PENDING_EVENT)
            droplet["event"] = number
            cloud.store.put("droplet", droplet["id"], droplet)
        owner_kind, _, owner_id = owner.partition(":")
        action = {
            "id": number,
            "status": "in-progress",
            "type": kind,
            "started_at": at or cloud.now(),
            "completed_at": None,
            "resource_id": int(owner_id) if owner_id.isdecimal() else None,
            "resource_type": owner_kind,
            "region_slug": region,
            "owner": owner,
            "droplet_id": droplet["id"] if droplet else None,
        }
        return cloud.store.put("action", number, action)


def end(cloud: ControlPlane, number: int, *, failure: str = "") -> Document:
    """Close an action and free its droplet. A failure is told in `message`, which the real API does not have."""
    with cloud.store.transaction():
        action = cloud.store.get("action", number)
        if action is None:
            raise not_found()
        action |= {"status": "errored" if failure else "completed", "completed_at": cloud.now()}
        if failure:
            action["message"] = failure
        droplet = cloud.store.get("droplet", action["droplet_id"]) if action["droplet_id"] else None
        if droplet is not None and droplet["event"] == number:
            droplet["event"] = None
            cloud.store.put("droplet", droplet["id"], droplet)
        return cloud.store.put("action", number, action)


def render(cloud: ControlPlane, action: Document) -> Document:
    """Return the action as the API shows it."""
    shown = {name: value for name, value in action.items() if name not in {"owner", "droplet_id"}}
    return {**shown, "region": cloud.catalogue.regions.get(action["region_slug"])}


def link(call: Call, action: Document, rel: str) -> Document:
    """Return the entry of `links.actions` that leads to an action."""
    return {"id": action["id"], "rel": rel, "href": f"{call.base_url}/v2/actions/{action['id']}"}


def owned_by(cloud: ControlPlane, owner: str) -> list[Document]:
    """Return a resource's actions, newest first."""
    return cloud.store.where("action", "owner", owner)[::-1]


def find_owned(call: Call, owner: str) -> Reply:
    """Answer with the action of the path when it belongs to the owner."""
    action = call.cloud.store.get("action", call.number("action_id"))
    if action is None or action["owner"] != owner:
        raise not_found()
    return Reply({"action": render(call.cloud, action)})


def index(call: Call) -> Reply:
    """List every action, newest first."""
    return page(call, "actions", call.cloud.store.all("action")[::-1], lambda item: render(call.cloud, item))


def show(call: Call) -> Reply:
    """Show an action."""
    action = call.cloud.store.get("action", call.number("action_id"))
    if action is None:
        raise not_found()
    return Reply({"action": render(call.cloud, action)})


ENDPOINTS = (
    Endpoint("GET", "/v2/actions", index),
    Endpoint("GET", "/v2/actions/{action_id}", show),
)
