"""From the wanted network to one script for the machine's packet filter: a pure function.

A public address is a loopback address whose packets are sent on, all protocols and ports, to a droplet's private
address; a reserved one moves by changing its target. Cloud firewalls are rules outside the droplet, so whatever runs
inside can't open itself up, and a port scan tells the truth. Droplets reach nothing of this machine but the services of
the cloud and name servers.

Everything stands in chains of the cloud's own, which are replaced as a whole; each is entered by one jump.
"""

from __future__ import annotations

__all__ = ["Bridge", "apply_script", "remove_script"]

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from localcloud.machines.spec import DropletPolicy, NetworkPlan, PublicAddress, Rule

EVERY_PORT = (1, 65535)
PUBLIC_KINDS = (10, 20)
"""Third number of a droplet's and of a reserved address; the second tells the clouds of one machine apart."""
# (table, built-in chain, what ours is called): where packets enter our chains.
_JUMPS = (
    ("nat", "PREROUTING", "SERVICES"),
    ("nat", "OUTPUT", "PUBLIC"),
    ("nat", "POSTROUTING", "RETURN"),
    ("filter", "INPUT", "MACHINE"),
    ("filter", "FORWARD", "CLOUD"),
    ("filter", "OUTPUT", "CLOUD"),
)


@dataclass(frozen=True)
class Bridge:
    """A VPC's network on this machine."""

    device: str
    gateway: str


def apply_script(
    label: str,
    plan: NetworkPlan,
    *,
    bridges: Sequence[Bridge],
    private: Mapping[int, str],
    services: Mapping[int, int],
) -> str:
    """Return the shell script that brings the packet filter in line with the plan; safe to repeat.

    ``private`` gives the droplets' private addresses, ``services`` the loopback port behind each port of a gateway.
    """
    nat = [*_services(bridges, services), *_public(plan.addresses), *_return(bridges)]
    inside = {**private} | {item.droplet_id: item.private_ipv4 for item in plan.addresses}
    filtering = [
        *_machine(bridges, services),
        "CLOUD -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        *_nobody(plan.addresses),
        *(line for policy in plan.firewalls for line in _policy(policy, inside.get(policy.droplet_id, ""))),
    ]
    lines = ["set -eu"]
    lines += [f"echo 1 >/proc/sys/net/ipv4/conf/{bridge.device}/route_localnet" for bridge in bridges]
    lines += ["iptables-restore --noflush --wait 10 <<'RULES'"]
    lines += [*_table("nat", label, nat), *_table("filter", label, filtering), "RULES"]
    lines += [
        f"iptables -w 10 -t {table} -C {builtin} -j {_name(label, chain)} 2>/dev/null"
        f" || iptables -w 10 -t {table} -I {builtin} 1 -j {_name(label, chain)}"
        for table, builtin, chain in _JUMPS
    ]
    return "\n".join(lines) + "\n"


def remove_script(label: str) -> str:
    """Return the shell script that removes every chain of a cloud; safe to repeat."""
    jumps = [
        f"while iptables -w 10 -t {table} -D {builtin} -j {_name(label, chain)} 2>/dev/null; do :; done"
        for table, builtin, chain in _JUMPS
    ]
    chains = [
        f"iptables -w 10 -t {table} {verb} {_name(label, chain)} 2>/dev/null || true"
        for table, chain in dict.fromkeys((table, chain) for table, _, chain in _JUMPS)
        for verb in ("-F", "-X")
    ]
    return "\n".join([*jumps, *chains]) + "\n"


def _name(label: str, chain: str) -> str:
    return f"GR-{label}-{chain}"


def _table(table: str, label: str, rules: Sequence[str]) -> Iterator[str]:
    yield f"*{table}"
    for chain in dict.fromkeys(chain for of, _, chain in _JUMPS if of == table):
        yield f":{_name(label, chain)} - [0:0]"
    for rule in rules:
        chain, rest = rule.split(" ", 1)
        yield f"-A {_name(label, chain)} {rest}"
    yield "COMMIT"


def _services(bridges: Sequence[Bridge], services: Mapping[int, int]) -> Iterator[str]:
    for bridge in bridges:
        for port, behind in sorted(services.items()):
            match = f"-i {bridge.device} -d {_address(bridge.gateway)} -p tcp --dport {port:d}"
            yield f"SERVICES {match} -j DNAT --to-destination 127.0.0.1:{behind:d}"


def _public(addresses: Sequence[PublicAddress]) -> Iterator[str]:
    for item in addresses:
        yield f"PUBLIC -d {_address(item.address)} -j DNAT --to-destination {_address(item.private_ipv4)}"


def _nobody(addresses: Sequence[PublicAddress]) -> Iterator[str]:
    """Refuse the cloud's addresses that lead to no droplet: they must not reach what this machine itself listens on."""
    blocks = {_address(item.address).split(".")[1] for item in addresses}
    for block in sorted(blocks):
        for kind in PUBLIC_KINDS:
            yield f"CLOUD -d 127.{block}.{kind}.0/24 -j REJECT --reject-with icmp-host-unreachable"


def _return(bridges: Sequence[Bridge]) -> Iterator[str]:
    for bridge in bridges:
        yield f"RETURN -o {bridge.device} -s 127.0.0.0/8 -j MASQUERADE"


def _machine(bridges: Sequence[Bridge], services: Mapping[int, int]) -> Iterator[str]:
    for bridge in bridges:
        enter = f"MACHINE -i {bridge.device}"
        yield f"{enter} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        for behind in sorted(set(services.values())):
            yield f"{enter} -d 127.0.0.1 -p tcp --dport {behind:d} -m conntrack --ctstate DNAT -j ACCEPT"
        yield f"{enter} -p udp --dport 53 ! -d 127.0.0.0/8 -j ACCEPT"
        yield f"{enter} -p tcp --dport 53 ! -d 127.0.0.0/8 -j ACCEPT"
        yield f"{enter} -p icmp ! -d 127.0.0.0/8 -j ACCEPT"
        yield f"{enter} -j DROP"


def _policy(policy: DropletPolicy, private_ipv4: str) -> Iterator[str]:
    if policy.inbound is None or not private_ipv4:
        return
    target = f"CLOUD -d {_address(private_ipv4)}"
    for rule in policy.inbound:
        for source in rule.sources:
            if (network := _ipv4_network(source)) is not None:
                yield f"{target} -s {network} {_match(rule)} -j RETURN"
    yield f"{target} -j DROP"


def _match(rule: Rule) -> str:
    if rule.protocol == "icmp":
        return "-p icmp"
    if rule.protocol not in {"tcp", "udp"}:
        raise ValueError(f"Unknown protocol: {rule.protocol!r}")
    ports = (rule.first_port, rule.last_port)
    span = "" if ports in {EVERY_PORT, (0, 0)} else f" --dport {rule.first_port:d}:{rule.last_port:d}"
    return f"-p {rule.protocol}{span}"


def _address(text: str) -> str:
    return str(ipaddress.IPv4Address(text))


def _ipv4_network(text: str) -> str | None:
    """Return a source as an IPv4 network, or None for IPv6: droplets have none."""
    network = ipaddress.ip_network(text, strict=False)
    return str(network) if isinstance(network, ipaddress.IPv4Network) else None
