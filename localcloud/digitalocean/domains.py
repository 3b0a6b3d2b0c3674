"""Domains: zones with the records that every zone starts with."""

from __future__ import annotations

__all__ = ["DEFAULT_TTL_S", "ENDPOINTS", "find"]

from typing import TYPE_CHECKING

from localcloud.digitalocean import projects, records
from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import not_found, unprocessable
from localcloud.digitalocean.records import DEFAULT_TTL_S

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_\-]{0,61}[A-Za-z0-9_])?"
NAME = rf"(?:{LABEL}\.)+{LABEL}"
LONGEST_NAME = 253


def find(call: Call) -> Document:
    """Return the domain of the path; 404 when there is none."""
    domain = call.cloud.store.get("domain", call.path["domain"].lower())
    if domain is None:
        raise not_found()
    return domain


def render(cloud: ControlPlane, domain: Document) -> Document:
    """Return the domain with its zone file."""
    zone = records.zone_file(domain["name"], cloud.store.where("record", "domain", domain["name"]))
    return {"name": domain["name"], "ttl": DEFAULT_TTL_S, "zone_file": zone}


def index(call: Call) -> Reply:
    """List the domains."""
    return page(call, "domains", call.cloud.store.all("domain"), lambda item: render(call.cloud, item))


def create(call: Call) -> Reply:
    """Make a domain with SOA and NS records, and an apex A record when an address comes with it."""
    cloud, body = call.cloud, call.body
    name = body.text("name", pattern=NAME, longest=LONGEST_NAME).lower()
    address = body.text("ip_address", "")
    if cloud.store.get("domain", name):
        raise unprocessable("Name already exists")
    cloud.store.put("domain", name, {"name": name})
    records.start_zone(cloud, name, address)
    projects.enrol(cloud, f"do:domain:{name}")
    return Reply({"domain": {"name": name, "ttl": DEFAULT_TTL_S, "zone_file": None}}, 201)


def show(call: Call) -> Reply:
    """Show a domain."""
    return Reply({"domain": render(call.cloud, find(call))})


def delete(call: Call) -> Reply:
    """Remove a domain and its records."""
    domain, store = find(call), call.cloud.store
    for record in store.where("record", "domain", domain["name"]):
        store.remove("record", record["id"])
    store.remove("domain", domain["name"])
    projects.withdraw(call.cloud, f"do:domain:{domain['name']}")
    return Reply(status=204)


def find_record(call: Call) -> Document:
    """Return the record of the path; 404 when the domain has none of that id."""
    record = call.cloud.store.get("record", call.number("record_id"))
    if record is None or record["domain"] != find(call)["name"]:
        raise not_found()
    return record


def list_records(call: Call) -> Reply:
    """List a domain's records, all or of one type or full name."""
    domain = find(call)
    found = call.cloud.store.where("record", "domain", domain["name"])
    kind, name = call.query.text("type", "").upper(), call.query.text("name", "")
    found = [record for record in found if not kind or record["type"] == kind]
    if name:
        found = [record for record in found if record["name"] == records.relative(name, domain["name"])]
    return page(call, "domain_records", found, records.render)


def create_record(call: Call) -> Reply:
    """Add a record."""
    domain = find(call)
    kind = call.body.text("type").upper()
    record = records.described(call.body, domain["name"], {"type": kind})
    return Reply({"domain_record": records.render(records.add(call.cloud, domain["name"], record))}, 201)


def show_record(call: Call) -> Reply:
    """Show a record."""
    return Reply({"domain_record": records.render(find_record(call))})


def change_record(call: Call) -> Reply:
    """Change a record; its type stays what it is."""
    before, domain = find_record(call), find(call)
    call.body.accept("type")
    record = {**before, **records.described(call.body, domain["name"], before)}
    return Reply({"domain_record": records.render(call.cloud.store.put("record", before["id"], record))})


def delete_record(call: Call) -> Reply:
    """Remove a record."""
    call.cloud.store.remove("record", find_record(call)["id"])
    return Reply(status=204)


ENDPOINTS = (
    Endpoint("GET", "/v2/domains", index),
    Endpoint("POST", "/v2/domains", create),
    Endpoint("GET", "/v2/domains/{domain}", show),
    Endpoint("DELETE", "/v2/domains/{domain}", delete),
    Endpoint("GET", "/v2/domains/{domain}/records", list_records),
    Endpoint("POST", "/v2/domains/{domain}/records", create_record),
    Endpoint("GET", "/v2/domains/{domain}/records/{record_id}", show_record),
    Endpoint("PUT", "/v2/domains/{domain}/records/{record_id}", change_record),
    Endpoint("PATCH", "/v2/domains/{domain}/records/{record_id}", change_record),
    Endpoint("DELETE", "/v2/domains/{domain}/records/{record_id}", delete_record),
)
