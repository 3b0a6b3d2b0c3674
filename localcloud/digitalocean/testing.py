"""A cloud for tests of what stands above it: real HTTP and state, and machines that are only written down.

`cloud_server` serves one from a thread. Its machine host keeps calls in order as tuples; `fail` makes the next call of
a name raise, `hold` makes it wait.
"""

from __future__ import annotations

__all__ = ["FrozenClock", "RecordingMachines", "cloud_server", "recorded_image"]

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from localcloud.digitalocean.catalogue import Catalogue
from localcloud.digitalocean.control import ControlPlane
from localcloud.digitalocean.limits import RateLimiter
from localcloud.digitalocean.server import CloudServer, Ports, Sockets
from localcloud.digitalocean.store import Store

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator
    from pathlib import Path

    from localcloud.machines.spec import MachineSpec, NetworkPlan, VolumeMount


class FrozenClock:
    """A clock that moves when it is told to."""

    def __init__(self, seconds: float = 1_800_000_000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


class RecordingMachines:
    """Machines as entries of a dictionary."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.specs: dict[int, MachineSpec] = {}
        self.states: dict[int, str] = {}
        self.volumes: dict[str, int] = {}
        self.mounts: dict[str, int] = {}
        self.plan: NetworkPlan | None = None
        self.fail: dict[str, Exception] = {}
        self.hold: dict[str, threading.Event] = {}

    def _record(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        gate = self.hold.get(name)
        if gate:
            gate.wait(10)
        if name in self.fail:
            raise self.fail.pop(name)

    def create(self, spec: MachineSpec) -> None:
        """Start a machine that is not there yet."""
        self._record("create", spec.droplet_id)
        self.specs[spec.droplet_id] = spec
        self.states[spec.droplet_id] = "running"

    def start(self, droplet_id: int) -> None:
        """Switch on."""
        self._record("start", droplet_id)
        self.states[droplet_id] = "running"

    def stop(self, droplet_id: int, *, graceful: bool) -> None:
        """Switch off."""
        self._record("stop", droplet_id, graceful)
        self.states[droplet_id] = "off"

    def reboot(self, droplet_id: int) -> None:
        """Restart."""
        self._record("reboot", droplet_id)
        self.states[droplet_id] = "running"

    def destroy(self, droplet_id: int) -> None:
        """Remove; nothing happens when it is gone already."""
        self._record("destroy", droplet_id)
        self.specs.pop(droplet_id, None)
        self.states.pop(droplet_id, None)

    def state(self, droplet_id: int) -> str:
        """Return "running", "off" or "missing"."""
        return self.states.get(droplet_id, "missing")

    def list_ids(self) -> list[int]:
        """Return the ids of all machines."""
        return sorted(self.states)

    def resize(self, droplet_id: int, vcpus: int, memory_mib: int) -> None:
        """Change processors and memory."""
        self._record("resize", droplet_id, vcpus, memory_mib)

    def snapshot(self, droplet_id: int, image_id: int) -> str:
        """Return a made-up reference."""
        self._record("snapshot", droplet_id, image_id)
        return f"snapshot:{image_id}"

    def delete_image(self, reference: str) -> None:
        """Forget a snapshot."""
        self._record("delete_image", reference)

    def rebuild(self, spec: MachineSpec) -> None:
        """Start over."""
        self._record("rebuild", spec.droplet_id, spec.image)
        self.specs[spec.droplet_id] = spec
        self.states[spec.droplet_id] = "running"

    def attach(self, droplet_id: int, mount: VolumeMount) -> None:
        """Mount a volume."""
        self._record("attach", droplet_id, mount.volume_id)
        self.mounts[mount.volume_id] = droplet_id

    def detach(self, droplet_id: int, mount: VolumeMount) -> None:
        """Unmount a volume."""
        self._record("detach", droplet_id, mount.volume_id)
        self.mounts.pop(mount.volume_id, None)

    def create_volume(self, volume_id: str, size_gib: int) -> None:
        """Make a volume."""
        self._record("create_volume", volume_id, size_gib)
        self.volumes[volume_id] = size_gib

    def delete_volume(self, volume_id: str) -> None:
        """Remove a volume."""
        self._record("delete_volume", volume_id)
        self.volumes.pop(volume_id, None)

    def delete_network(self, vpc_id: str) -> None:
        """Remove a network."""
        self._record("delete_network", vpc_id)

    def apply_network(self, plan: NetworkPlan) -> None:
        """Keep the plan."""
        self._record("apply_network")
        self.plan = plan


def recorded_image(slug: str) -> str | None:
    """Say that Debian images boot and others do not."""
    return f"image:{slug}" if slug.startswith("debian") else None


@contextmanager
def cloud_server(
    directory: Path,
    machines: RecordingMachines,
    *,
    clock: Callable[[], float] = time.time,
    enforce_limits: bool = False,
) -> Generator[CloudServer]:
    """Serve a cloud whose state lies in `directory`, on free ports, until the block ends."""
    cloud = ControlPlane(
        store=Store(directory / "state.sqlite"),
        machines=machines,
        catalogue=Catalogue.load(),
        images=recorded_image,
        clock=clock,
    )
    limiter = RateLimiter(clock, enforce=enforce_limits)
    server = CloudServer(cloud, limiter, sockets=Sockets(Ports(0, 0, 0)), directory=directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()
