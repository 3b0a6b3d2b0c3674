"""What a restarted server does first: make state and machines agree again.

Work that was cut short is finished or ended: a droplet that was going is destroyed, one that was booting boots again,
any other action ends as errored. Machines that no droplet stands for are destroyed; droplets whose machine is gone or
changed say what is true.
"""

from __future__ import annotations

__all__ = ["reconcile"]

import logging
from functools import partial
from typing import TYPE_CHECKING

from localcloud.digitalocean import actions, droplet_create, droplets

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

log = logging.getLogger("greenroom.cloud")


def reconcile(cloud: ControlPlane) -> None:
    """Bring state and machines together; boots go on in the background."""
    known = {droplet["id"] for droplet in cloud.store.all("droplet")}
    for number in sorted(set(cloud.machines.list_ids()) - known):
        log.warning("machine %d belongs to no droplet: destroyed", number)
        cloud.machines.destroy(number)
    for action in cloud.store.where("action", "status", "in-progress"):
        if action["type"] != "create":
            log.warning("action %d (%s) was cut short: errored", action["id"], action["type"])
            actions.end(cloud, action["id"], failure="cut short by the end of the local cloud's server")
    for droplet in cloud.store.all("droplet"):
        mend(cloud, droplet)
    cloud.try_network()


def mend(cloud: ControlPlane, droplet: Document) -> None:
    """Finish what was under way for one droplet, or read its status off its machine."""
    number = droplet["id"]
    if droplet["destroying"]:
        log.warning("droplet %d was being destroyed: finished", number)
        droplets.destroy(cloud, number)
    elif droplet["status"] == "new":
        log.warning("droplet %d was booting: boots again", number)
        cloud.background(partial(droplet_create.boot, cloud, number, droplet["event"]))
    else:
        droplets.observed(cloud, droplet)
