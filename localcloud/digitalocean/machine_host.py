"""What the control plane wants of whatever boots its droplets."""

from __future__ import annotations

__all__ = ["MachineHost"]

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from localcloud.machines.spec import MachineSpec, NetworkPlan, VolumeMount


class MachineHost(Protocol):
    """Machines, their volumes and their network. All of it blocks, is safe to repeat and to call from any thread."""

    def create(self, spec: MachineSpec) -> None:
        """Boot a machine; returns when it runs, not when its first-boot work is done."""
        ...

    def start(self, droplet_id: int) -> None:
        """Switch on."""
        ...

    def stop(self, droplet_id: int, *, graceful: bool) -> None:
        """Switch off, asking first when graceful."""
        ...

    def reboot(self, droplet_id: int) -> None:
        """Restart in an orderly way."""
        ...

    def destroy(self, droplet_id: int) -> None:
        """Remove machine and disk; volumes stay."""
        ...

    def state(self, droplet_id: int) -> str:
        """Return "running", "off" or "missing"."""
        ...

    def list_ids(self) -> Collection[int]:
        """Return the droplets that have a machine."""
        ...

    def resize(self, droplet_id: int, vcpus: int, memory_mib: int) -> None:
        """Change processors and memory."""
        ...

    def snapshot(self, droplet_id: int, image_id: int) -> str:
        """Keep the disk and return the reference to boot it by."""
        ...

    def delete_image(self, reference: str) -> None:
        """Forget a snapshot."""
        ...

    def rebuild(self, spec: MachineSpec) -> None:
        """Start over from another image with the same identity."""
        ...

    def attach(self, droplet_id: int, mount: VolumeMount) -> None:
        """Give a volume to a machine."""
        ...

    def detach(self, droplet_id: int, mount: VolumeMount) -> None:
        """Take a volume away."""
        ...

    def create_volume(self, volume_id: str, size_gib: int) -> None:
        """Make an empty volume."""
        ...

    def delete_volume(self, volume_id: str) -> None:
        """Remove a volume and what is on it."""
        ...

    def delete_network(self, vpc_id: str) -> None:
        """Remove a VPC's network."""
        ...

    def apply_network(self, plan: NetworkPlan) -> None:
        """Bring public addresses and firewalls in line with the plan, as a whole."""
        ...
