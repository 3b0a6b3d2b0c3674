"""A size is declared whose disk is smaller than the droplet's: the cloud refuses it, for real.

A droplet is switched off to be resized, and switched on again once that was refused: every try is an outage.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

HAS, WANTED = "s-2vcpu-4gb", "s-1vcpu-2gb"
BOOT_S = 60
"""How long it may take until what was switched on again serves by itself."""


def broken(lab: Lab) -> str:
    if f"size: {WANTED}\n" not in lab.settings.read_text(encoding="utf-8") or lab.droplet["size_slug"] == WANTED:
        return ""
    deadline = time.monotonic() + BOOT_S
    while lab.https("/health") != 200 and time.monotonic() < deadline:
        time.sleep(1)
    return "the droplet is not of the declared size"


def offs(lab: Lab) -> set[int]:
    """Which actions have switched the droplet off."""
    found = lab.api("GET", f"/droplets/{lab.droplet['id']}/actions?per_page=200")["actions"]
    return {each["id"] for each in found if each["type"] == "power_off"}


def inject(lab: Lab) -> None:
    lab.notes["offs"] = offs(lab)
    lab.set(f"size: {HAS}\n", f"size: {WANTED}\n")


def outages(lab: Lab) -> str:
    """What was refused once is refused again: one try is the deployment's own, and each more is harm."""
    found = len(offs(lab) - lab.notes["offs"])
    return f"switched off {found} times" if found > 1 else ""


CASE = Case(
    id="provision-cloud-refused",
    title="the cloud refuses the size that is declared",
    rows=("F17",),
    strikes="deployment",
    expected="escalated",
    inject=inject,
    broken=broken,
    unharmed=outages,
    disturbs=frozenset({"neighbour's process", "neighbour's start"}),
    causes=("CLOUD_REFUSED",),
    role="devops",
    still_serves=True,
)
