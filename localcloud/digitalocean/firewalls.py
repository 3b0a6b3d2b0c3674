"""Cloud firewalls: what droplets accept, by id or by tag. A change is in force when it is answered."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from localcloud.digitalocean import network, tags
from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import ApiError, conflict, not_found, unprocessable
from localcloud.digitalocean.fields import Fields

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

NAME = r"[A-Za-z0-9][A-Za-z0-9.\-]+"
PROTOCOLS = ("tcp", "udp", "icmp")
PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
HIGHEST_PORT = 65535
DIRECTIONS = {"inbound_rules": "sources", "outbound_rules": "destinations"}


def checked_ports(protocol: str, ports: str) -> str:
    """Return ports as they are shown: "0" for all of them and for icmp; 422 for what is no range."""
    if ports in {"all", "0"} or (protocol == "icmp" and not ports):
        return "0"
    match = PORTS.fullmatch(ports)
    numbers = [int(number) for number in match.groups() if number] if match else []
    if not numbers or not 1 <= numbers[0] <= numbers[-1] <= HIGHEST_PORT:
        raise unprocessable(f"invalid ports {ports!r}: a port, a range such as 8000-9000, or all")
    return ports


def checked_targets(cloud: ControlPlane, targets: Fields, values: dict[str, Any]) -> dict[str, Any]:
    """Return sources or destinations as they came; 422 for an address that is none."""
    for address in targets.texts("addresses"):
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError as error:
            raise unprocessable(f"invalid address {address!r}") from error
    for droplet_id in targets.integers("droplet_ids"):
        if cloud.store.get("droplet", droplet_id) is None:
            raise unprocessable(f"droplet {droplet_id} does not exist")
    tags.canonical(cloud, targets.texts("tags"))
    targets.accept("load_balancer_uids", "kubernetes_ids")
    return {name: value for name, value in values.items() if value}


def checked_rules(cloud: ControlPlane, body: Fields, direction: str) -> list[Document]:
    """Return one direction's rules, normalised as the API does."""
    side = DIRECTIONS[direction]
    rules: list[Document] = []
    for entry in body.list(direction):
        rule = Fields({"rule": entry}).object("rule")
        protocol = rule.choice("protocol", PROTOCOLS)
        ports = checked_ports(protocol, str(rule.raw("ports", "")))
        targets = checked_targets(cloud, rule.object(side), rule.raw(side, {}))
        if not targets:
            raise unprocessable(f"{direction} must have {side}")
        rules.append({"protocol": protocol, "ports": ports, side: targets})
    return rules


def checked_droplets(cloud: ControlPlane, numbers: list[int]) -> list[int]:
    """Return droplet ids; 422 when one does not exist."""
    missing = [str(number) for number in numbers if cloud.store.get("droplet", number) is None]
    if missing:
        raise unprocessable(f"droplets do not exist: {', '.join(missing)}")
    return list(dict.fromkeys(numbers))


def described(call: Call, own_id: str = "") -> Document:
    """Return what a request says a firewall should be."""
    body, cloud = call.body, call.cloud
    name = body.text("name", pattern=NAME)
    if any(other["id"] != own_id for other in cloud.store.where("firewall", "name", name)):
        raise conflict("duplicate name")
    rules = {direction: checked_rules(cloud, body, direction) for direction in DIRECTIONS}
    if not any(rules.values()):
        raise unprocessable("at least one rule must be specified")
    return {
        "name": name,
        **rules,
        "droplet_ids": checked_droplets(cloud, body.integers("droplet_ids")),
        "tags": tags.canonical(cloud, body.texts("tags")),
    }


def find(call: Call) -> Document:
    """Return the firewall of the path; 404 when there is none."""
    firewall = call.cloud.store.get("firewall", call.path["firewall_id"])
    if firewall is None:
        raise not_found()
    return firewall


def render(cloud: ControlPlane, firewall: Document) -> Document:
    """Return the firewall as the API shows it."""
    status = "failed" if cloud.network_failure else "succeeded"
    return {**firewall, "status": status, "pending_changes": []}


def index(call: Call) -> Reply:
    """List the firewalls."""
    return page(call, "firewalls", call.cloud.store.all("firewall"), lambda item: render(call.cloud, item))


def of_droplet(call: Call) -> Reply:
    """List the firewalls that cover a droplet."""
    droplet = call.cloud.store.get("droplet", call.number("droplet_id"))
    if droplet is None:
        raise not_found()
    covering = [item for item in call.cloud.store.all("firewall") if network.covers(item, droplet)]
    return page(call, "firewalls", covering, lambda item: render(call.cloud, item))


def create(call: Call) -> Reply:
    """Make a firewall."""
    number = call.cloud.new_uuid()
    firewall = {"id": number, "created_at": call.cloud.now(), **described(call)}
    return Reply({"firewall": render(call.cloud, call.cloud.store.put("firewall", number, firewall))}, 202)


def show(call: Call) -> Reply:
    """Show a firewall."""
    return Reply({"firewall": render(call.cloud, find(call))})


def replace(call: Call) -> Reply:
    """Replace a firewall as a whole: what is not said is gone."""
    before = find(call)
    firewall = {**before, **described(call, before["id"])}
    return Reply({"firewall": render(call.cloud, call.cloud.store.put("firewall", before["id"], firewall))})


def delete(call: Call) -> Reply:
    """Remove a firewall."""
    call.cloud.store.remove("firewall", find(call)["id"])
    return Reply(status=204)


def change_list(call: Call, name: str, values: list[Any], *, add: bool) -> Reply:
    """Add values to one of a firewall's lists, or take them out."""
    firewall = find(call)
    kept = [value for value in firewall[name] if value not in values]
    firewall[name] = kept + values if add else kept
    call.cloud.store.put("firewall", firewall["id"], firewall)
    return Reply(status=204)


def droplets(call: Call, *, add: bool) -> Reply:
    """Add or remove droplets."""
    numbers = call.body.integers("droplet_ids")
    return change_list(call, "droplet_ids", checked_droplets(call.cloud, numbers) if add else numbers, add=add)


def tag_names(call: Call, *, add: bool) -> Reply:
    """Add or remove tags."""
    return change_list(call, "tags", tags.canonical(call.cloud, call.body.texts("tags")), add=add)


def rules(call: Call, *, add: bool) -> Reply:
    """Add or remove rules of both directions."""
    if not any(name in call.body for name in DIRECTIONS):
        raise ApiError(400, "inbound_rules or outbound_rules is required")
    for direction in DIRECTIONS:
        change_list(call, direction, checked_rules(call.cloud, call.body, direction), add=add)
    return Reply(status=204)


ENDPOINTS = (
    Endpoint("GET", "/v2/firewalls", index),
    Endpoint("POST", "/v2/firewalls", create, network=True),
    Endpoint("GET", "/v2/firewalls/{firewall_id}", show),
    Endpoint("PUT", "/v2/firewalls/{firewall_id}", replace, network=True),
    Endpoint("DELETE", "/v2/firewalls/{firewall_id}", delete, network=True),
    Endpoint("POST", "/v2/firewalls/{firewall_id}/droplets", lambda call: droplets(call, add=True), network=True),
    Endpoint("DELETE", "/v2/firewalls/{firewall_id}/droplets", lambda call: droplets(call, add=False), network=True),
    Endpoint("POST", "/v2/firewalls/{firewall_id}/tags", lambda call: tag_names(call, add=True), network=True),
    Endpoint("DELETE", "/v2/firewalls/{firewall_id}/tags", lambda call: tag_names(call, add=False), network=True),
    Endpoint("POST", "/v2/firewalls/{firewall_id}/rules", lambda call: rules(call, add=True), network=True),
    Endpoint("DELETE", "/v2/firewalls/{firewall_id}/rules", lambda call: rules(call, add=False), network=True),
    Endpoint("GET", "/v2/droplets/{droplet_id}/firewalls", of_droplet),
)
