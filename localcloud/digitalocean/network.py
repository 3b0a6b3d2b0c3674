"""From the account's state to the network that should be in force: a pure function.

A droplet without a firewall is open. With one or more, it accepts what any of them allows. Rules that name droplets or
tags become the addresses of those droplets. Outbound rules are kept and shown, not enforced.
"""

from __future__ import annotations

__all__ = ["plan"]

from typing import TYPE_CHECKING, Any

from localcloud.machines.spec import DropletPolicy, NetworkPlan, PublicAddress, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from localcloud.digitalocean.store import Document

EVERY_PORT = (1, 65535)


def plan(droplets: Sequence[Document], firewalls: Sequence[Document], reserved: Sequence[Document]) -> NetworkPlan:
    """Return every public address and every droplet's inbound policy."""
    by_id = {droplet["id"]: droplet for droplet in droplets}
    addresses = [
        PublicAddress(droplet["public_ipv4"], droplet["id"], droplet["private_ipv4"])
        for droplet in droplets
        if droplet["public_ipv4"]
    ]
    addresses += [
        PublicAddress(item["ip"], item["droplet_id"], by_id[item["droplet_id"]]["private_ipv4"])
        for item in reserved
        if item["droplet_id"] in by_id
    ]
    policies = [DropletPolicy(droplet["id"], inbound(droplet, firewalls, droplets)) for droplet in droplets]
    return NetworkPlan(tuple(addresses), tuple(policies))


def inbound(droplet: Document, firewalls: Iterable[Document], droplets: Sequence[Document]) -> tuple[Rule, ...] | None:
    """Return what a droplet accepts, or None when no firewall covers it."""
    covering = [firewall for firewall in firewalls if covers(firewall, droplet)]
    if not covering:
        return None
    rules = {rule_of(rule, droplets): None for firewall in covering for rule in firewall["inbound_rules"]}
    return tuple(rule for rule in rules if rule.sources)


def covers(firewall: Document, droplet: Document) -> bool:
    """Whether a firewall applies to a droplet, by its id or by a tag."""
    return droplet["id"] in firewall["droplet_ids"] or bool(set(firewall["tags"]) & set(droplet["tags"]))


def rule_of(rule: Document, droplets: Sequence[Document]) -> Rule:
    """Return one inbound rule with its sources as addresses."""
    first, last = (0, 0) if rule["protocol"] == "icmp" else port_range(rule["ports"])
    return Rule(
        rule["protocol"], first, last, tuple(dict.fromkeys(source_addresses(rule.get("sources", {}), droplets)))
    )


def port_range(ports: str) -> tuple[int, int]:
    """Return first and last port of the API's notation: "22", "8000-9000", "0" for all."""
    if ports in {"0", "all", ""}:
        return EVERY_PORT
    first, _, last = ports.partition("-")
    return int(first), int(last or first)


def source_addresses(sources: dict[str, Any], droplets: Sequence[Document]) -> Iterable[str]:
    """Yield the addresses and networks that a rule's sources stand for."""
    yield from sources.get("addresses") or []
    named = set(sources.get("droplet_ids") or [])
    tagged = set(sources.get("tags") or [])
    for droplet in droplets:
        if droplet["id"] in named or tagged & set(droplet["tags"]):
            yield f"{droplet['private_ipv4']}/32"
            if droplet["public_ipv4"]:
                yield f"{droplet['public_ipv4']}/32"
