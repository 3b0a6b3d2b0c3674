"""What a machine, its disks and its network shall be: the vocabulary between the cloud's API and its machines."""

from __future__ import annotations

__all__ = [
    "DropletPolicy",
    "MachineError",
    "MachineSpec",
    "NetworkPlan",
    "PublicAddress",
    "Rule",
    "UnsupportedError",
    "VolumeMount",
]

from dataclasses import dataclass


class MachineError(RuntimeError):
    """The Docker engine, the network or an image of the local cloud failed; the text ends with what mends it."""


class UnsupportedError(MachineError):
    """This machine's kernel or engine can't do what was asked."""


@dataclass(frozen=True)
class VolumeMount:
    """A block storage volume on a droplet; appears at ``/mnt/<name>`` with dashes as underscores, as DigitalOcean's."""

    volume_id: str
    name: str
    filesystem: str = "ext4"

    @property
    def path(self) -> str:
        """Where the volume is mounted in the droplet."""
        return f"/mnt/{self.name.replace('-', '_')}"


@dataclass(frozen=True)
class MachineSpec:
    """One droplet: its image (a Docker reference), size, first-boot data and place in the network."""

    droplet_id: int
    name: str
    image: str
    vcpus: int
    memory_mib: int
    user_data: str
    ssh_keys: tuple[str, ...]
    vpc_id: str
    vpc_cidr: str
    private_ipv4: str
    public_ipv4: str
    volumes: tuple[VolumeMount, ...] = ()
    region: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class PublicAddress:
    """A loopback address that stands for a public one, and the droplet's private address that answers it."""

    address: str
    droplet_id: int
    private_ipv4: str


@dataclass(frozen=True)
class Rule:
    """Inbound traffic that a cloud firewall lets through: protocol tcp, udp or icmp (whose ports are 0 to 0)."""

    protocol: str
    first_port: int
    last_port: int
    sources: tuple[str, ...] = ("0.0.0.0/0",)


@dataclass(frozen=True)
class DropletPolicy:
    """What reaches a droplet; ``inbound`` None means that no firewall covers it and everything does."""

    droplet_id: int
    inbound: tuple[Rule, ...] | None


@dataclass(frozen=True)
class NetworkPlan:
    """The whole wanted state of public addresses and cloud firewalls."""

    addresses: tuple[PublicAddress, ...] = ()
    firewalls: tuple[DropletPolicy, ...] = ()
