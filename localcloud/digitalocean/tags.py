"""Tags: names on resources. Found regardless of case; the first spelling stays."""

from __future__ import annotations

__all__ = ["ENDPOINTS", "canonical", "tagged"]

import re
from typing import TYPE_CHECKING

from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import not_found, unprocessable
from localcloud.digitalocean.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

NAME = re.compile(r"[A-Za-z0-9_:\-]{1,255}")
API = "https://api.digitalocean.com"
KINDS = {"droplet": "droplets", "image": "images", "volume": "volumes", "volume_snapshot": "volume_snapshots"}
"""Kinds that carry tags, and their path."""
REFERRING = ("firewall", "alert")
"""Kinds that name tags without being tagged."""


def canonical(cloud: ControlPlane, names: Iterable[str]) -> list[str]:
    """Return tag names in their first spelling, making the tags that are new; 422 for what can't be a tag."""
    found: list[str] = []
    for name in names:
        if not NAME.fullmatch(name):
            raise unprocessable(f"tags may only contain letters, numbers, colons, dashes and underscores: {name!r}")
        tag = cloud.store.get("tag", name.lower()) or cloud.store.put("tag", name.lower(), {"name": name})
        found.append(tag["name"])
    return list(dict.fromkeys(found))


def tagged(cloud: ControlPlane, kind: str, name: str) -> list[Document]:
    """Return the resources of a kind that carry a tag."""
    tag = cloud.store.get("tag", name.lower())
    return [item for item in cloud.store.all(kind) if tag and tag["name"] in item["tags"]]


def find(call: Call) -> Document:
    """Return the tag of the path; 404 when there is none."""
    tag = call.cloud.store.get("tag", call.path["name"].lower())
    if tag is None:
        raise not_found()
    return tag


def render(cloud: ControlPlane, tag: Document) -> Document:
    """Return the tag with its counts. Every kind is always there: clients read them without looking."""
    counts: Document = {"databases": {"count": 0}}
    total, last = 0, ""
    for kind, path in KINDS.items():
        items = tagged(cloud, kind, tag["name"])
        counts[path] = {"count": len(items)}
        total += len(items)
        if items:
            last = f"{API}/v2/{path.replace('_', '/')}/{items[-1]['id']}"
            counts[path]["last_tagged_uri"] = last
    resources = {"count": total, **({"last_tagged_uri": last} if last else {}), **counts}
    return {"name": tag["name"], "resources": resources}


def index(call: Call) -> Reply:
    """List the tags by name."""
    tags = sorted(call.cloud.store.all("tag"), key=lambda tag: tag["name"].lower())
    return page(call, "tags", tags, lambda tag: render(call.cloud, tag))


def create(call: Call) -> Reply:
    """Make a tag; one that exists is answered like a new one."""
    name = canonical(call.cloud, [call.body.text("name")])[0]
    return Reply({"tag": render(call.cloud, {"name": name})}, 201)


def show(call: Call) -> Reply:
    """Show a tag."""
    return Reply({"tag": render(call.cloud, find(call))})


def delete(call: Call) -> Reply:
    """Remove a tag from everything that carries it."""
    tag = find(call)
    for kind in (*KINDS, *REFERRING):
        for item in tagged(call.cloud, kind, tag["name"]):
            item["tags"].remove(tag["name"])
            call.cloud.store.put(kind, item["id"], item)
    call.cloud.store.remove("tag", tag["name"].lower())
    return Reply(status=204)


def resources(call: Call) -> list[tuple[str, Document]]:
    """Return kind and document of each resource that the request names; 404 when one does not exist."""
    found: list[tuple[str, Document]] = []
    for entry in call.body.list("resources"):
        fields = Fields({"resource": entry}).object("resource")
        kind = fields.choice("resource_type", list(KINDS))
        item = call.cloud.store.get(kind, fields.raw("resource_id", ""))
        if item is None:
            raise not_found()
        found.append((kind, item))
    return found


def attach(call: Call) -> Reply:
    """Tag resources."""
    tag = find(call)
    for kind, item in resources(call):
        if tag["name"] not in item["tags"]:
            item["tags"].append(tag["name"])
            call.cloud.store.put(kind, item["id"], item)
    return Reply(status=204)


def detach(call: Call) -> Reply:
    """Untag resources."""
    tag = find(call)
    for kind, item in resources(call):
        if tag["name"] in item["tags"]:
            item["tags"].remove(tag["name"])
            call.cloud.store.put(kind, item["id"], item)
    return Reply(status=204)


ENDPOINTS = (
    Endpoint("GET", "/v2/tags", index),
    Endpoint("POST", "/v2/tags", create),
    Endpoint("GET", "/v2/tags/{name}", show),
    Endpoint("DELETE", "/v2/tags/{name}", delete, network=True),
    Endpoint("POST", "/v2/tags/{name}/resources", attach, network=True),
    Endpoint("DELETE", "/v2/tags/{name}/resources", detach, network=True),
)
