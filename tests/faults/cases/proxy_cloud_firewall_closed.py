"""Somebody closed 443 in the cloud's firewall: everything is well, and nobody gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def firewall(lab: Lab) -> dict[str, Any]:
    return lab.api("GET", "/firewalls")["firewalls"][0]


def inject(lab: Lab) -> None:
    found = firewall(lab)
    rules = [rule for rule in found["inbound_rules"] if rule["ports"] == "443"]
    lab.api("DELETE", f"/firewalls/{found['id']}/rules", {"inbound_rules": rules})


CASE = Case(
    id="proxy-cloud-firewall-closed",
    title="443 was closed in the cloud's firewall",
    rows=("F99",),
    strikes="run time",
    expected="healed",
    inject=inject,
    broken=lambda lab: "" if lab.https("/health") == 200 else "nobody gets to 443",
    causes=("FIREWALL_ALTERED",),
    watched=True,
)
