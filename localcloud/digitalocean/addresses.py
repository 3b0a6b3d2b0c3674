"""Public addresses: loopback ones, so that what the API hands out can be reached from this machine and nowhere else."""

from __future__ import annotations

__all__ = ["GATEWAY_V6", "NETMASK", "free_public", "free_reserved", "gateway", "network", "public_v6"]

import ipaddress
from typing import TYPE_CHECKING

from localcloud.digitalocean.errors import unprocessable

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane

NETMASK = "255.255.255.0"
DROPLETS, RESERVED = 10, 20
HOSTS = range(2, 255)
PREFIX_V6 = "fd67:7265:656e:726f"
GATEWAY_V6 = f"{PREFIX_V6}::1"
"""IPv6 is recorded and shown; no machine routes it."""


def network(text: str) -> ipaddress.IPv4Network:
    """Return an address range as a value."""
    return ipaddress.IPv4Network(text)


def public_v6(droplet_id: int) -> str:
    """Return a droplet's IPv6 address, lower case as clients compare it."""
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(f"{PREFIX_V6}::")) + droplet_id))


def prefix(block: int, third: int) -> str:
    """Return the first three numbers of a kind of address in a cloud's block: 127.0.10 is droplets in block 0."""
    return f"127.{block}.{third}"


def gateway(cloud: ControlPlane) -> str:
    """Return the gateway that droplets show for their public address."""
    return f"{prefix(cloud.block, DROPLETS)}.1"


def lowest(start: str, taken: set[str]) -> str:
    """Return the lowest address that starts so and is not taken; 422 when all are."""
    for host in HOSTS:
        address = f"{start}.{host}"
        if address not in taken:
            return address
    raise unprocessable("No public address is left in this region")


def free_public(cloud: ControlPlane) -> str:
    """Return an address for a droplet."""
    taken = {droplet["public_ipv4"] for droplet in cloud.store.all("droplet")}
    return lowest(prefix(cloud.block, DROPLETS), taken)


def free_reserved(cloud: ControlPlane) -> str:
    """Return an address that can be moved between droplets."""
    return lowest(prefix(cloud.block, RESERVED), {item["ip"] for item in cloud.store.all("reserved_ip")})
