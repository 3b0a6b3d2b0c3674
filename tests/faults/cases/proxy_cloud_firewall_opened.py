"""Somebody opened the cloud's firewall for a port of a container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def firewall(lab: Lab) -> dict[str, Any]:
    return lab.api("GET", "/firewalls")["firewalls"][0]


def inject(lab: Lab) -> None:
    rule = {"protocol": "tcp", "ports": "8002", "sources": {"addresses": ["0.0.0.0/0"]}}
    lab.api("POST", f"/firewalls/{firewall(lab)['id']}/rules", {"inbound_rules": [rule]})


CASE = Case(
    id="proxy-cloud-firewall-opened",
    title="the cloud's firewall was opened by hand",
    rows=("F99",),
    strikes="run time",
    expected="healed",
    inject=inject,
    broken=lambda lab: (
        "8002 is open" if any(rule["ports"] == "8002" for rule in firewall(lab)["inbound_rules"]) else ""
    ),
    causes=("FIREWALL_ALTERED",),
)
