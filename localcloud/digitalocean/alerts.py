"""Monitoring alert policies: kept and shown. Creation answers 200, as the real API does."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from typing import TYPE_CHECKING

from localcloud.digitalocean import tags
from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import not_found, unprocessable
from localcloud.digitalocean.fields import Fields

if TYPE_CHECKING:
    from localcloud.digitalocean.store import Document

DROPLET_METRICS = (
    "load_1",
    "load_5",
    "load_15",
    "memory_utilization_percent",
    "disk_utilization_percent",
    "cpu",
    "disk_read",
    "disk_write",
    "public_outbound_bandwidth",
    "public_inbound_bandwidth",
    "private_outbound_bandwidth",
    "private_inbound_bandwidth",
)
TYPES = tuple(f"v1/insights/droplet/{metric}" for metric in DROPLET_METRICS)
OTHER_TYPES = ("v1/insights/lbaas/", "v1/dbaas/alerts/", "v1/droplet/autoscale_alerts/")
COMPARISONS = ("GreaterThan", "LessThan")
WINDOWS = ("5m", "10m", "30m", "1h")


def described(call: Call) -> Document:
    """Return what a request says a policy should be; all of it has to be said."""
    body = call.body
    kind = body.text("type")
    if kind not in TYPES and not kind.startswith(OTHER_TYPES):
        raise unprocessable(f"invalid alert type: {kind!r}")
    return {
        "type": kind,
        "description": body.text("description", ""),
        "compare": body.choice("compare", COMPARISONS),
        "value": body.number("value"),
        "window": body.choice("window", WINDOWS),
        "entities": [str(entity) for entity in body.list("entities")],
        "tags": tags.canonical(call.cloud, body.texts("tags")),
        "alerts": receivers(body.object("alerts")),
        "enabled": body.flag("enabled", default=True),
    }


def receivers(alerts: Fields) -> Document:
    """Return who is told; 422 when nobody is."""
    slack: list[Document] = []
    for entry in alerts.list("slack"):
        channel = Fields({"slack": entry}).object("slack")
        slack.append({"channel": channel.text("channel"), "url": channel.text("url")})
    email = alerts.texts("email")
    if not slack and not email:
        raise unprocessable("alerts must name at least one email address or slack channel")
    return {"email": email, "slack": slack}


def find(call: Call) -> Document:
    """Return the policy of the path; 404 when there is none."""
    policy = call.cloud.store.get("alert", call.path["uuid"])
    if policy is None:
        raise not_found()
    return policy


def render(policy: Document) -> Document:
    """Return the policy as the API shows it."""
    return {name: value for name, value in policy.items() if name != "id"}


def index(call: Call) -> Reply:
    """List the policies."""
    return page(call, "policies", call.cloud.store.all("alert"), render)


def create(call: Call) -> Reply:
    """Make a policy."""
    number = call.cloud.new_uuid()
    policy = {"id": number, "uuid": number, **described(call)}
    return Reply({"policy": render(call.cloud.store.put("alert", number, policy))})


def show(call: Call) -> Reply:
    """Show a policy."""
    return Reply({"policy": render(find(call))})


def replace(call: Call) -> Reply:
    """Replace a policy as a whole."""
    policy = {**find(call), **described(call)}
    return Reply({"policy": render(call.cloud.store.put("alert", policy["id"], policy))})


def delete(call: Call) -> Reply:
    """Remove a policy."""
    call.cloud.store.remove("alert", find(call)["id"])
    return Reply(status=204)


ENDPOINTS = (
    Endpoint("GET", "/v2/monitoring/alerts", index),
    Endpoint("POST", "/v2/monitoring/alerts", create),
    Endpoint("GET", "/v2/monitoring/alerts/{uuid}", show),
    Endpoint("PUT", "/v2/monitoring/alerts/{uuid}", replace),
    Endpoint("DELETE", "/v2/monitoring/alerts/{uuid}", delete),
)
