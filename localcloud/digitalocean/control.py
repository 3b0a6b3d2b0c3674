"""The control plane: what every noun shares. State, machines, catalogue, clock, background work, the live network."""

from __future__ import annotations

__all__ = ["ControlPlane", "ImageSource", "stamp"]

import logging
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localcloud.digitalocean import network

if TYPE_CHECKING:
    from localcloud.digitalocean.catalogue import Catalogue
    from localcloud.digitalocean.machine_host import MachineHost
    from localcloud.digitalocean.store import Store
    from localcloud.machines.spec import NetworkPlan

log = logging.getLogger("greenroom.cloud")

WORKERS = 8


ImageSource = Callable[[str], str | None]
"""From an image slug to what the machine host boots, or None when it can't boot it."""


def stamp(seconds: float) -> str:
    """Return a time as the API writes it: RFC 3339, UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_uuid() -> str:
    """Return a random UUID."""
    return str(uuid.uuid4())


class ControlPlane:
    """One account's cloud."""

    def __init__(
        self,
        *,
        store: Store,
        machines: MachineHost,
        catalogue: Catalogue,
        images: ImageSource,
        clock: Callable[[], float],
        new_uuid: Callable[[], str] = new_uuid,
        block: int = 0,
    ) -> None:
        self.store = store
        self.machines = machines
        self.catalogue = catalogue
        self.images = images
        self.clock = clock
        self.new_uuid = new_uuid
        self.block = block
        """Which block of loopback addresses is this cloud's; several may live on one machine."""
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="droplet")
        self._network_lock = threading.Lock()
        self._applied: NetworkPlan | None = None
        self.unserved: Counter[str] = Counter()
        """What was asked for and is not served here, by name: paths, fields, parameters."""
        self.network_failure: str | None = None
        """Why the network is not as the state says; None while it is."""

    def now(self) -> str:
        """Return the current time as the API writes it."""
        return stamp(self.clock())

    def background(self, work: Callable[[], None]) -> Future[None]:
        """Start work that outlives the request; it must end its own action, whatever happens."""
        return self._workers.submit(work)

    def apply_network(self) -> None:
        """Bring addresses and firewalls in line with the state; returns when they are in force, raises when not."""
        with self._network_lock:
            store = self.store
            with store.transaction():
                plan = network.plan(store.all("droplet"), store.all("firewall"), store.all("reserved_ip"))
            if plan == self._applied:
                return
            self._applied = None
            try:
                self.machines.apply_network(plan)
            except Exception as error:
                self.network_failure = str(error)
                raise
            self._applied, self.network_failure = plan, None
            log.info("network applied: %d addresses, %d policies", len(plan.addresses), len(plan.firewalls))

    def try_network(self) -> bool:
        """Do the same where the answer is already decided: a failure is logged, kept in view, and returned as False."""
        try:
            self.apply_network()
        except Exception:  # whatever stops the network must not turn a stored change into an error
            log.exception("NETWORK NOT APPLIED: addresses or firewalls differ from what the API shows")
            return False
        return True

    def close(self) -> None:
        """Let running work end, then close the state."""
        self._workers.shutdown(wait=True)
        self.store.close()
