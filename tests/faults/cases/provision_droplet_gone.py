"""Somebody deleted the droplet in the control panel: what was not on the volume is gone, and nobody asked for another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def droplets(lab: Lab) -> list[dict[str, Any]]:
    return lab.api("GET", "/droplets?per_page=200")["droplets"]


def inject(lab: Lab) -> None:
    lab.api("DELETE", f"/droplets/{lab.droplet['id']}")


CASE = Case(
    id="provision-droplet-gone",
    title="the droplet was deleted by hand",
    rows=("F20",),
    strikes="run time",
    expected="escalated",
    inject=inject,
    shows_within_s=30.0,
    broken=lambda lab: "" if droplets(lab) else "there is no droplet",
    restore=lambda lab: lab.renew(),
    unharmed=lambda lab: "another droplet was put in its place" if droplets(lab) else "",
    causes=("DROPLET_GONE",),
    role="system administrator",
    disturbs=frozenset({"droplets"}),
)
