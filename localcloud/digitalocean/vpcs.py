"""VPCs: private networks. Each region has a default one, made before the first of its own."""

from __future__ import annotations

__all__ = ["ENDPOINTS", "default_vpc", "free_address"]

import ipaddress
from typing import TYPE_CHECKING

from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import forbidden, not_found, unprocessable

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

NAME = r"[A-Za-z0-9.\-]+"
PRIVATE = tuple(ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
WIDEST, NARROWEST = 16, 28
RANGES_PER_BLOCK = 4
RESERVED_HOSTS = 2
"""Network address and gateway; droplets come after them."""


def ranges(cloud: ControlPlane) -> list[ipaddress.IPv4Network]:
    """Return the networks in use."""
    return [ipaddress.IPv4Network(vpc["ip_range"]) for vpc in cloud.store.all("vpc")]


def free_range(cloud: ControlPlane, beside: str = "") -> str:
    """Return a /20 that overlaps no VPC, nor the range about to be taken."""
    taken = ranges(cloud) + ([ipaddress.IPv4Network(beside)] if beside else [])
    candidates = list(ipaddress.IPv4Network("10.100.0.0/14").subnets(new_prefix=20))
    # Clouds on one machine share its address space: each begins somewhere else.
    first = cloud.block * RANGES_PER_BLOCK % len(candidates)
    for candidate in candidates[first:] + candidates[:first]:
        if not any(candidate.overlaps(network) for network in taken):
            return str(candidate)
    raise unprocessable("No address range is left for a VPC")


def checked_range(cloud: ControlPlane, text: str) -> str:
    """Return an address range that may be used; 422 otherwise."""
    try:
        wanted = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise unprocessable(f"This range/size is not valid: {text!r}") from error
    if not WIDEST <= wanted.prefixlen <= NARROWEST or not any(wanted.subnet_of(block) for block in PRIVATE):
        raise unprocessable(f"This range/size is not valid: {text} must be a private network from /16 to /28")
    if any(wanted.overlaps(network) for network in ranges(cloud)):
        raise unprocessable(f"This range/size overlaps with another VPC network in your account: {text}")
    return str(wanted)


def default_vpc(cloud: ControlPlane, region: str, beside: str = "") -> Document:
    """Return the region's default VPC, making it at first use."""
    for vpc in cloud.store.where("vpc", "region", region):
        if vpc["default"]:
            return vpc
    return store_vpc(cloud, f"default-{region}", "", region, free_range(cloud, beside), default=True)


def store_vpc(
    cloud: ControlPlane, name: str, description: str, region: str, ip_range: str, *, default: bool = False
) -> Document:
    """Make a VPC."""
    number = cloud.new_uuid()
    vpc = {
        "id": number,
        "urn": f"do:vpc:{number}",
        "name": name,
        "description": description,
        "region": region,
        "ip_range": ip_range,
        "default": default,
        "created_at": cloud.now(),
    }
    return cloud.store.put("vpc", number, vpc)


def free_address(cloud: ControlPlane, vpc: Document) -> str:
    """Return the lowest address of a VPC that no droplet has; 422 when it is full."""
    taken = {droplet["private_ipv4"] for droplet in cloud.store.where("droplet", "vpc_uuid", vpc["id"])}
    network = ipaddress.IPv4Network(vpc["ip_range"])
    for offset in range(RESERVED_HOSTS, network.num_addresses - 1):
        address = str(network[offset])
        if address not in taken:
            return address
    raise unprocessable(f"VPC {vpc['name']} has no address left")


def find(call: Call) -> Document:
    """Return the VPC of the path; 404 when there is none."""
    vpc = call.cloud.store.get("vpc", call.path["vpc_id"])
    if vpc is None:
        raise not_found()
    return vpc


def checked_name(call: Call, default: str | None = None) -> str:
    """Return the name asked for; 422 when another VPC has it."""
    name = call.body.text("name", default, pattern=NAME)
    if any(vpc["id"] != call.path.get("vpc_id") for vpc in call.cloud.store.where("vpc", "name", name)):
        raise unprocessable(f"A VPC with this name already exists: {name!r}")
    return name


def index(call: Call) -> Reply:
    """List the VPCs."""
    return page(call, "vpcs", call.cloud.store.all("vpc"))


def create(call: Call) -> Reply:
    """Make a VPC."""
    cloud, body = call.cloud, call.body
    region = cloud.catalogue.region(body.text("region"))["slug"]
    name = checked_name(call)
    description = body.text("description", "", longest=255)
    wanted = body.text("ip_range", "")
    wanted = checked_range(cloud, wanted) if wanted else ""
    default_vpc(cloud, region, beside=wanted)
    vpc = store_vpc(cloud, name, description, region, wanted or free_range(cloud))
    return Reply({"vpc": vpc}, 201)


def show(call: Call) -> Reply:
    """Show a VPC."""
    return Reply({"vpc": find(call)})


def change(call: Call) -> Reply:
    """Rename or describe a VPC, or make it its region's default; a range never changes."""
    vpc, body, store = find(call), call.body, call.cloud.store
    vpc["name"] = checked_name(call, vpc["name"])
    vpc["description"] = body.text("description", vpc["description"], longest=255)
    if body.flag("default", default=vpc["default"]) and not vpc["default"]:
        before = default_vpc(call.cloud, vpc["region"])
        store.put("vpc", before["id"], {**before, "default": False})
        vpc["default"] = True
    return Reply({"vpc": store.put("vpc", vpc["id"], vpc)})


def delete(call: Call) -> Reply:
    """Remove a VPC and its network; 403 while it has members or is its region's default."""
    with call.cloud.store.transaction():
        vpc = find(call)
        if vpc["default"]:
            raise forbidden("Can not delete default VPCs")
        if call.cloud.store.where("droplet", "vpc_uuid", vpc["id"]):
            raise forbidden("Can not delete VPC with members")
        call.cloud.store.remove("vpc", vpc["id"])
    try:
        call.cloud.machines.delete_network(vpc["id"])
    except Exception:
        call.cloud.store.put("vpc", vpc["id"], vpc)
        raise
    return Reply(status=204)


def members(call: Call) -> Reply:
    """List what is in a VPC."""
    vpc, kind = find(call), call.query.text("resource_type", "")
    droplets = [] if kind not in {"", "droplet"} else call.cloud.store.where("droplet", "vpc_uuid", vpc["id"])
    return page(call, "members", droplets, render_member)


def render_member(droplet: Document) -> Document:
    """Return a member as the API shows it."""
    return {
        "urn": f"do:droplet:{droplet['id']}",
        "name": droplet["name"],
        "created_at": droplet["created_at"],
    }


def peerings(call: Call) -> Reply:
    """List peerings: there are none."""
    find(call)
    return page(call, "peerings", [])


ENDPOINTS = (
    Endpoint("GET", "/v2/vpcs", index),
    Endpoint("POST", "/v2/vpcs", create),
    Endpoint("GET", "/v2/vpcs/{vpc_id}", show),
    Endpoint("PUT", "/v2/vpcs/{vpc_id}", change),
    Endpoint("PATCH", "/v2/vpcs/{vpc_id}", change),
    Endpoint("DELETE", "/v2/vpcs/{vpc_id}", delete, atomic=False),
    Endpoint("GET", "/v2/vpcs/{vpc_id}/members", members),
    Endpoint("GET", "/v2/vpcs/{vpc_id}/peerings", peerings),
)
