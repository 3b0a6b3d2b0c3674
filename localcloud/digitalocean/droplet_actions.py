"""Actions on droplets: each is checked at once, done in the background, and shown when it is done.

An entry of `ACTIONS` reads the request and returns a `Work`: what to do with the machine (outside any transaction), and
what the droplet looks like afterwards.
"""

from __future__ import annotations

__all__ = ["ENDPOINTS", "start"]

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from localcloud.digitalocean import actions, addresses, images, tags
from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.droplet_create import NAME, spec_of
from localcloud.digitalocean.errors import PENDING_EVENT, ApiError, not_found, unprocessable

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

log = logging.getLogger("greenroom.cloud")


def nothing() -> None:
    """Leave the machine alone."""


@dataclass(frozen=True)
class Work:
    """What an action does to the machine, and what it changes in the droplet."""

    machine: Callable[[], Any] = nothing
    change: dict[str, Any] = field(default_factory=dict[str, Any])
    after: Callable[[Any, str], None] | None = None
    """Called with the machine's result and the second in which the action started."""


Planner = Callable[[Call, "Document"], Work]


def power_on(call: Call, droplet: Document) -> Work:
    """Start the machine."""
    return Work(partial(call.cloud.machines.start, droplet["id"]), {"status": "active"})


def power_off(call: Call, droplet: Document) -> Work:
    """Pull the plug."""
    require_on(droplet)
    return Work(partial(call.cloud.machines.stop, droplet["id"], graceful=False), {"status": "off"})


def shutdown(call: Call, droplet: Document) -> Work:
    """Ask the machine to halt."""
    require_on(droplet)
    return Work(partial(call.cloud.machines.stop, droplet["id"], graceful=True), {"status": "off"})


def reboot(call: Call, droplet: Document) -> Work:
    """Restart the machine in an orderly way."""
    if droplet["status"] != "active":
        raise unprocessable("Droplet is not powered on")
    return Work(partial(call.cloud.machines.reboot, droplet["id"]), {"status": "active"})


def power_cycle(call: Call, droplet: Document) -> Work:
    """Pull the plug and start again."""
    machines = call.cloud.machines

    def cycle() -> None:
        machines.stop(droplet["id"], graceful=False)
        machines.start(droplet["id"])

    return Work(cycle, {"status": "active"})


def require_on(droplet: Document) -> None:
    """Raise 422 for a droplet that is off already."""
    if droplet["status"] == "off":
        raise unprocessable("Droplet is already powered off.")


def resize(call: Call, droplet: Document) -> Work:
    """Change processors and memory; the disk only when asked, and it never shrinks."""
    size = call.cloud.catalogue.size(call.body.text("size"))
    grow = call.body.flag("disk")
    if droplet["status"] != "off":
        raise unprocessable("Droplet must be powered off before it can be resized.")
    if size["disk"] < droplet["disk"]:
        raise unprocessable("This size is not available because it has a smaller disk.")
    change = {"size_slug": size["slug"], "memory": size["memory"], "vcpus": size["vcpus"]}
    if grow:
        change["disk"] = size["disk"]
    return Work(partial(call.cloud.machines.resize, droplet["id"], size["vcpus"], size["memory"]), change)


def rename(call: Call, _droplet: Document) -> Work:
    """Change the name that the API shows; the machine keeps its own."""
    name = call.body.text("name")
    if not NAME.fullmatch(name):
        raise unprocessable("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")
    return Work(change={"name": name})


def rebuild(call: Call, droplet: Document) -> Work:
    """Start over from an image, keeping id and addresses."""
    cloud = call.cloud
    image = images.find(cloud, call.body.raw("image", droplet["image"]["id"]))
    change = {"image": images.render(image), "reference": images.reference(cloud, image), "status": "active"}
    return Work(partial(cloud.machines.rebuild, spec_of(cloud, {**droplet, **change})), change)


def snapshot(call: Call, droplet: Document) -> Work:
    """Keep the machine's disk as an image."""
    cloud = call.cloud
    name = call.body.text("name", f"{droplet['name']}-{int(cloud.clock())}")
    last = [image["created_at"] for image in cloud.store.where("image", "droplet_id", droplet["id"])]
    if cloud.now() in last:
        # Clients find "their" snapshot by this second: two in one would be mixed up.
        raise unprocessable(PENDING_EVENT)
    number = cloud.store.next_id("image", images.FIRST_ID)

    def keep(made: str, at: str) -> None:
        images.store_snapshot(cloud, droplet, name=name, number=number, reference=made, at=at)

    return Work(partial(cloud.machines.snapshot, droplet["id"], number), after=keep)


def enable_ipv6(_call: Call, droplet: Document) -> Work:
    """Record an IPv6 address."""
    return Work(change={"features": with_feature(droplet, "ipv6"), "public_ipv6": addresses.public_v6(droplet["id"])})


def enable_backups(call: Call, droplet: Document) -> Work:
    """Record that backups are wanted, and when."""
    policy = call.body.raw("backup_policy", droplet["backup_policy"])
    return Work(change={"features": with_feature(droplet, "backups"), "backup_policy": policy})


def change_backup_policy(call: Call, droplet: Document) -> Work:
    """Record another time for backups."""
    if "backups" not in droplet["features"]:
        raise unprocessable("Backups are not enabled on this droplet")
    return enable_backups(call, droplet)


def disable_backups(_call: Call, droplet: Document) -> Work:
    """Record that backups are not wanted."""
    features = [name for name in droplet["features"] if name != "backups"]
    return Work(change={"features": features, "backup_policy": None})


def with_feature(droplet: Document, name: str) -> list[str]:
    """Return the droplet's features and one more."""
    return list(dict.fromkeys([*droplet["features"], name]))


def unchanged(_call: Call, _droplet: Document) -> Work:
    """Succeed without effect: every droplet has private networking."""
    return Work()


ACTIONS: dict[str, Planner] = {
    "power_on": power_on,
    "power_off": power_off,
    "shutdown": shutdown,
    "reboot": reboot,
    "power_cycle": power_cycle,
    "resize": resize,
    "rename": rename,
    "rebuild": rebuild,
    "restore": rebuild,
    "snapshot": snapshot,
    "enable_ipv6": enable_ipv6,
    "enable_backups": enable_backups,
    "change_backup_policy": change_backup_policy,
    "disable_backups": disable_backups,
    "enable_private_networking": unchanged,
}


def start(call: Call, droplet: Document) -> Document:
    """Check and open the action that the request names, and begin its work; returns the open action."""
    cloud, kind = call.cloud, call.body.text("type")
    planner = ACTIONS.get(kind)
    if planner is None:
        raise unprocessable(f"The action type is not supported by this local cloud: {kind!r}")
    with cloud.store.transaction():
        if droplet["event"] is not None:
            raise unprocessable(PENDING_EVENT)
        work = planner(call, droplet)
        action = actions.begin(cloud, kind, owner=f"droplet:{droplet['id']}", region=droplet["region"], droplet=droplet)
    cloud.background(partial(finish, cloud, work, action))
    return action


def finish(cloud: ControlPlane, work: Work, action: Document) -> None:
    """Do an action's work and close it, whatever happens."""
    try:
        result = work.machine()
    except Exception as error:  # the boundary of background work: whatever went wrong ends the action
        log.exception("%s of droplet %d failed", action["type"], action["droplet_id"])
        actions.end(cloud, action["id"], failure=str(error) or repr(error))
        return
    with cloud.store.transaction():
        droplet = cloud.store.get("droplet", action["droplet_id"]) or {}
        cloud.store.put("droplet", action["droplet_id"], {**droplet, **work.change})
        if work.after:
            work.after(result, action["started_at"])
        actions.end(cloud, action["id"])


def find(call: Call) -> Document:
    """Return the droplet of the path; 404 when there is none."""
    droplet = call.cloud.store.get("droplet", call.number("droplet_id"))
    if droplet is None:
        raise not_found()
    return droplet


def act(call: Call) -> Reply:
    """Start an action on the droplet of the path."""
    return Reply({"action": actions.render(call.cloud, start(call, find(call)))}, 201)


def act_by_tag(call: Call) -> Reply:
    """Start an action on every droplet of a tag."""
    found = tags.tagged(call.cloud, "droplet", call.query.text("tag_name"))
    if any(droplet["event"] is not None for droplet in found):
        raise ApiError(422, PENDING_EVENT)
    return Reply({"actions": [actions.render(call.cloud, start(call, droplet)) for droplet in found]}, 201)


def list_actions(call: Call) -> Reply:
    """List what was and is being done to a droplet, newest first."""
    found = call.cloud.store.where("action", "droplet_id", find(call)["id"])[::-1]
    return page(call, "actions", found, lambda item: actions.render(call.cloud, item))


def show_action(call: Call) -> Reply:
    """Show one thing done to a droplet."""
    action = call.cloud.store.get("action", call.number("action_id"))
    if action is None or action["droplet_id"] != find(call)["id"]:
        raise not_found()
    return Reply({"action": actions.render(call.cloud, action)})


ENDPOINTS = (
    Endpoint("POST", "/v2/droplets/actions", act_by_tag, atomic=False),
    Endpoint("GET", "/v2/droplets/{droplet_id}/actions", list_actions),
    Endpoint("POST", "/v2/droplets/{droplet_id}/actions", act, atomic=False),
    Endpoint("GET", "/v2/droplets/{droplet_id}/actions/{action_id}", show_action),
)
