"""Domain records: how the API normalises them, and how a zone file is written. No routes; `domains` has them."""

from __future__ import annotations

__all__ = ["DEFAULT_TTL_S", "add", "described", "relative", "render", "start_zone", "zone_file"]

import ipaddress
from typing import TYPE_CHECKING

from localcloud.digitalocean.errors import unprocessable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.fields import Fields
    from localcloud.digitalocean.store import Document

DEFAULT_TTL_S = 1800
LEAST_TTL_S = 30
FIRST_ID = 28_000_001
NAMESERVERS = ("ns1.digitalocean.com", "ns2.digitalocean.com", "ns3.digitalocean.com")
HOSTED = {"CNAME", "MX", "NS", "SRV"}
"""Types whose data is a host name: the final dot is dropped, clients add it back."""
TYPES = {"A", "AAAA", "CAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT"}
NUMBERS = ("priority", "port", "weight", "flags")
REQUIRED = {"MX": ("priority",), "SRV": ("priority", "port", "weight"), "CAA": ("flags", "tag")}


def relative(name: str, domain: str) -> str:
    """Return a name as it is kept: relative to its zone, "@" for the zone itself."""
    bare = name.rstrip(".").lower()
    if bare in {"", "@", domain}:
        return "@"
    return bare.removesuffix(f".{domain}")


def host_data(data: str, domain: str) -> str:
    """Return a host name as it is kept: without the final dot, "@" for the zone itself."""
    bare = data.rstrip(".")
    return "@" if bare == domain else bare


def checked_data(kind: str, data: str, domain: str, tag: str | None) -> str:
    """Return a record's data as it is kept; 422 when it does not fit the type."""
    if kind in {"A", "AAAA"}:
        try:
            ipaddress.IPv4Address(data) if kind == "A" else ipaddress.IPv6Address(data)
        except ValueError as error:
            raise unprocessable(f"Data needs to be an {'IPv4' if kind == 'A' else 'IPv6'} address: {data!r}") from error
        return data
    if kind in HOSTED or (kind == "CAA" and tag != "iodef"):
        return host_data(data, domain)
    return data


def described(body: Fields, domain: str, before: Document) -> Document:
    """Return a record from what a request says, on top of what it was."""
    kind = before["type"]
    if kind not in TYPES - {"SOA"} and "id" not in before:
        raise unprocessable(f"Type is not one of the supported record types: {kind}")
    tag = body.text("tag", before.get("tag") or "") or None
    record: Document = {
        "type": kind,
        "name": relative(body.text("name", before.get("name", "@")), domain),
        "data": checked_data(kind, body.text("data", before.get("data")), domain, tag),
        "ttl": body.integer("ttl", before.get("ttl", DEFAULT_TTL_S), least=LEAST_TTL_S),
        "tag": tag if kind == "CAA" else None,
    }
    for name in NUMBERS:
        record[name] = body.raw(name, before.get(name))
        if record[name] is not None:
            record[name] = body.integer(name, before.get(name), least=0)
    missing = [name for name in REQUIRED.get(kind, ()) if record[name] is None]
    if missing:
        raise unprocessable(f"{kind} records need {', '.join(missing)}")
    applicable = REQUIRED.get(kind, ())
    return {**record, **{name: None for name in NUMBERS if name not in applicable}}


def add(cloud: ControlPlane, domain: str, record: Document) -> Document:
    """Store a new record."""
    number = cloud.store.next_id("record", FIRST_ID)
    return cloud.store.put("record", number, {"id": number, "domain": domain, **record})


def start_zone(cloud: ControlPlane, domain: str, address: str) -> None:
    """Store the records that a zone is born with."""
    blank: Document = dict.fromkeys((*NUMBERS, "tag"))
    first: list[Document] = [{"type": "SOA", "data": str(DEFAULT_TTL_S)}]
    first += [{"type": "NS", "data": server} for server in NAMESERVERS]
    if address:
        first.append({"type": "A", "data": checked_data("A", address, domain, None)})
    for record in first:
        add(cloud, domain, {**blank, "name": "@", "ttl": DEFAULT_TTL_S, **record})


def render(record: Document) -> Document:
    """Return the record as the API shows it."""
    return {name: value for name, value in record.items() if name != "domain"}


def zone_file(domain: str, found: Iterable[Document]) -> str:
    """Return the zone as a master file."""
    lines = [f"$ORIGIN {domain}.", f"$TTL {DEFAULT_TTL_S}"]
    for record in found:
        owner = f"{domain}." if record["name"] == "@" else f"{record['name']}.{domain}."
        lines.append(f"{owner} {record['ttl']} IN {record['type']} {zone_data(domain, record)}")
    return "\n".join(lines) + "\n"


def zone_data(domain: str, record: Document) -> str:
    """Return the right-hand side of a record in a master file."""
    data = f"{domain}." if record["data"] == "@" else record["data"]
    if record["type"] in HOSTED and not data.endswith("."):
        data += "."
    if record["type"] == "SOA":
        return f"{NAMESERVERS[0]}. hostmaster.{domain}. 1 10800 3600 604800 {data}"
    if record["type"] == "TXT":
        return '"' + data.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if record["type"] == "CAA":
        return f'{record["flags"]} {record["tag"]} "{data}"'
    numbers = [str(record[name]) for name in ("priority", "weight", "port") if record[name] is not None]
    return " ".join([*numbers, data])
