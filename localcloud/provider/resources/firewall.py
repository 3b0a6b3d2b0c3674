"""Cloud firewalls. The API replaces a firewall's rules as a whole; a rule set has no order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.provider.checks import Failure
from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.states import align

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties

_PEERS = {
    "Addresses": "addresses",
    "DropletIds": "droplet_ids",
    "KubernetesIds": "kubernetes_ids",
    "LoadBalancerUids": "load_balancer_uids",
    "Tags": "tags",
}
_ALL_PORTS = "0"
_SIDES = (("inboundRules", "inbound_rules", "source"), ("outboundRules", "outbound_rules", "destination"))


class Firewall(Resource):
    """What may reach droplets, and what they may reach."""

    kind = "digitalocean:index/firewall:Firewall"

    def rules(self, inputs: Properties) -> Iterator[Failure]:
        """There must be a rule, and TCP and UDP rules need ports."""
        if not inputs.get("inboundRules") and not inputs.get("outboundRules"):
            yield Failure("inboundRules", "at least one inbound or outbound rule is required")
        for name, _, _ in _SIDES:
            rules = inputs.get(name)
            for index, rule in enumerate(rules if isinstance(rules, list) else []):
                if isinstance(rule, dict) and rule.get("protocol") in ("tcp", "udp") and "portRange" not in rule:
                    yield Failure(f"{name}[{index}].portRange", "required where the protocol is tcp or udp")

    def create(self, session: Session, inputs: Properties) -> Created:
        """Create it, or adopt the one of this name when the answer got lost: firewall names are unique."""
        body = request(inputs)

        def made() -> dict[str, Any] | None:
            named = (each for each in session.pages("firewalls.list", "firewalls") if each["name"] == body["name"])
            return next(({"firewall": each} for each in named), None)

        firewall = session.create("firewalls.create", made, body=body)["firewall"]
        return Created(firewall["id"], self._outputs(firewall, self.record(inputs)))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it."""
        answer = session.find("firewalls.get", firewall_id=identity)
        return None if answer is None else self._outputs(answer["firewall"], known)

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Replace its rules, droplets and tags."""
        del state
        firewall = session.put("firewalls.update", firewall_id=identity, body=request(inputs))["firewall"]
        return self._outputs(firewall, self.record(inputs))

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Delete it: its droplets are open from then on."""
        del state
        session.delete("firewalls.delete", firewall_id=identity)

    def _outputs(self, firewall: dict[str, Any], known: Properties) -> Properties:
        return align(self.shape, properties(firewall), known)


def request(inputs: Properties) -> dict[str, Any]:
    """Write the create or update request."""
    body: dict[str, Any] = {
        "name": inputs["name"],
        "droplet_ids": list(inputs.get("dropletIds") or []),
        "tags": list(inputs.get("tags") or []),
    }
    for name, theirs, side in _SIDES:
        body[theirs] = [_rule(rule, side) for rule in inputs.get(name) or []]
    return body


def _rule(rule: Properties, side: str) -> dict[str, Any]:
    peers = {theirs: rule[f"{side}{ours}"] for ours, theirs in _PEERS.items() if rule.get(f"{side}{ours}")}
    ports = {"ports": rule["portRange"]} if rule.get("portRange") else {}
    return {"protocol": rule["protocol"], **ports, f"{side}s": peers}


def properties(firewall: dict[str, Any]) -> Properties:
    """Read the API's object."""
    seen: Properties = {
        "name": firewall["name"],
        "status": firewall["status"],
        "createdAt": firewall["created_at"],
        "pendingChanges": [
            {"dropletId": each["droplet_id"], "removing": each["removing"], "status": each["status"]}
            for each in firewall.get("pending_changes") or []
        ],
        "dropletIds": list(firewall.get("droplet_ids") or []),
        "tags": [tag for tag in firewall.get("tags") or [] if tag],
    }
    for name, theirs, side in _SIDES:
        seen[name] = [_rule_properties(rule, side) for rule in firewall.get(theirs) or []]
    return seen


def _rule_properties(rule: dict[str, Any], side: str) -> Properties:
    """Read a rule; the API writes ports "0" for all of them, and for ICMP, which has none."""
    ports = rule.get("ports") or ""
    if ports == _ALL_PORTS:
        ports = "" if rule["protocol"] == "icmp" else "all"
    peers = rule.get(f"{side}s") or {}
    lists = {f"{side}{ours}": list(peers.get(theirs) or []) for ours, theirs in _PEERS.items()}
    return {"protocol": rule["protocol"], "portRange": ports, **lists}
