"""Reserved IPs, served under their own name and under the older `floating_ips`: the same objects, always in step."""

from __future__ import annotations

__all__ = ["ENDPOINTS", "release"]

from typing import TYPE_CHECKING

from localcloud.digitalocean import actions, addresses, droplet_view, projects
from localcloud.digitalocean.account import RESERVED_IP_LIMIT
from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import PENDING_EVENT, not_found, unprocessable

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document


def render(cloud: ControlPlane, item: Document) -> Document:
    """Return the address as the API shows it, with the whole droplet that has it."""
    droplet = cloud.store.get("droplet", item["droplet_id"]) if item["droplet_id"] else None
    member = cloud.store.get("membership", f"do:floatingip:{item['ip']}") or {}
    return {
        "ip": item["ip"],
        "region": cloud.catalogue.regions[item["region"]],
        "droplet": droplet_view.render(cloud, droplet) if droplet else None,
        "locked": False,
        "project_id": member.get("project_id") or projects.ensure_default(cloud)["id"],
    }


def find(call: Call) -> Document:
    """Return the address of the path; 404 when there is none."""
    item = call.cloud.store.get("reserved_ip", call.path["ip"])
    if item is None:
        raise not_found()
    return item


def noun(call: Call) -> str:
    """Return the key under which this path answers."""
    return "floating_ip" if call.url_path.startswith("/v2/floating_ips") else "reserved_ip"


def idle_droplet(cloud: ControlPlane, number: int) -> Document:
    """Return a droplet that can take an address; 422 when there is none of that id or it is busy."""
    droplet = cloud.store.get("droplet", number)
    if droplet is None:
        raise unprocessable(f"Droplet does not exist: {number}")
    if droplet["event"] is not None:
        raise unprocessable(PENDING_EVENT)
    return droplet


def index(call: Call) -> Reply:
    """List the addresses."""
    items = call.cloud.store.all("reserved_ip")
    return page(call, f"{noun(call)}s", items, lambda item: render(call.cloud, item))


def create(call: Call) -> Reply:
    """Reserve an address for a region, or for a droplet, which gets it at once."""
    cloud, body = call.cloud, call.body
    with cloud.store.transaction():
        if cloud.store.count("reserved_ip") >= RESERVED_IP_LIMIT:
            raise unprocessable("You have reached the limit of reserved IPs on your account")
        droplet = idle_droplet(cloud, body.integer("droplet_id")) if "droplet_id" in body else None
        region = droplet["region"] if droplet else cloud.catalogue.region(body.text("region"))["slug"]
        body.accept("region")
        item = {"ip": addresses.free_reserved(cloud), "region": region, "droplet_id": None}
        cloud.store.put("reserved_ip", item["ip"], item)
        projects.enrol(cloud, f"do:floatingip:{item['ip']}", body.text("project_id", ""))
    answer: Document = {noun(call): item, "links": {"actions": [], "droplets": []}}
    if droplet:
        action = move(cloud, item, droplet)
        answer["links"] = {
            "actions": [actions.link(call, action, "assign_ip")],
            "droplets": [
                {"id": droplet["id"], "rel": "droplet", "href": f"{call.base_url}/v2/droplets/{droplet['id']}"}
            ],
        }
    answer[noun(call)] = render(cloud, item)
    return Reply(answer, 202)


def move(cloud: ControlPlane, item: Document, droplet: Document | None) -> Document:
    """Give an address to a droplet, or to none, and return the closed action."""
    kind = "assign_ip" if droplet else "unassign_ip"
    with cloud.store.transaction():
        action = actions.begin(cloud, kind, owner=f"reserved_ip:{item['ip']}", region=item["region"], droplet=droplet)
        before = item["droplet_id"]
        item["droplet_id"] = droplet["id"] if droplet else None
        cloud.store.put("reserved_ip", item["ip"], item)
    applied = cloud.try_network()
    if not applied:
        item["droplet_id"] = before
        cloud.store.put("reserved_ip", item["ip"], item)
    return actions.end(cloud, action["id"], failure="" if applied else str(cloud.network_failure))


def release(cloud: ControlPlane, droplet_id: int) -> None:
    """Take every address away from a droplet that goes."""
    for item in cloud.store.where("reserved_ip", "droplet_id", droplet_id):
        cloud.store.put("reserved_ip", item["ip"], {**item, "droplet_id": None})


def show(call: Call) -> Reply:
    """Show an address."""
    return Reply({noun(call): render(call.cloud, find(call))})


def delete(call: Call) -> Reply:
    """Give an address back."""
    item = find(call)
    call.cloud.store.remove("reserved_ip", item["ip"])
    projects.withdraw(call.cloud, f"do:floatingip:{item['ip']}")
    return Reply(status=204)


def act(call: Call) -> Reply:
    """Assign an address to a droplet or take it away."""
    with call.cloud.store.transaction():
        item = find(call)
        droplet = None
        if call.body.choice("type", ("assign", "unassign")) == "assign":
            droplet = idle_droplet(call.cloud, call.body.integer("droplet_id"))
            if droplet["region"] != item["region"]:
                raise unprocessable(f"The droplet is not in the address's region {item['region']}")
        elif item["droplet_id"] is None:
            raise unprocessable("The floating IP is not assigned to a droplet.")
    return Reply({"action": actions.render(call.cloud, move(call.cloud, item, droplet))}, 201)


def list_actions(call: Call) -> Reply:
    """List what was done to an address."""
    found = actions.owned_by(call.cloud, f"reserved_ip:{find(call)['ip']}")
    return page(call, "actions", found, lambda item: actions.render(call.cloud, item))


def show_action(call: Call) -> Reply:
    """Show one thing done to an address."""
    return actions.find_owned(call, f"reserved_ip:{find(call)['ip']}")


def twin(path: str) -> tuple[Endpoint, ...]:
    """Return the route table under one of the two names."""
    return (
        Endpoint("GET", path, index),
        Endpoint("POST", path, create, atomic=False),
        Endpoint("GET", f"{path}/{{ip}}", show),
        Endpoint("DELETE", f"{path}/{{ip}}", delete, network=True),
        Endpoint("GET", f"{path}/{{ip}}/actions", list_actions),
        Endpoint("POST", f"{path}/{{ip}}/actions", act, atomic=False),
        Endpoint("GET", f"{path}/{{ip}}/actions/{{action_id}}", show_action),
    )


ENDPOINTS = (*twin("/v2/reserved_ips"), *twin("/v2/floating_ips"))
