"""A droplet as a container: how it is configured, and the seed that cloud-init reads at its first boot.

Pure: from a spec and what this machine is to the arguments of the Docker client.
"""

from __future__ import annotations

__all__ = ["UNMASKED", "Place", "configuration", "cpu_limits", "memory_limits", "seed", "seed_archive"]

import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.machines.names import Names
    from localcloud.machines.spec import MachineSpec

REGISTRY_HOST = "registry.greenroom.test"
GIT_HOST = "git.greenroom.test"
SEED = "var/lib/cloud/seed/nocloud"
STOP_SIGNAL = "SIGRTMIN+3"
CPU_PERIOD_US = 100_000
MIB = 1024 * 1024


@dataclass(frozen=True)
class Place:
    """What this machine offers a droplet."""

    capabilities: tuple[str, ...]
    processors: int
    resolvers: tuple[str, ...]
    gateway: str


UNMASKED: dict[str, list[str]] = {"MaskedPaths": [], "ReadonlyPaths": []}
"""Leaves /proc and /sys as a system's own (``--security-opt systempaths=unconfined`` of the command line)."""


def configuration(spec: MachineSpec, names: Names, place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the container's configuration and its host configuration, as the client's low-level calls take them."""
    container = {
        "image": spec.image,
        "name": names.droplet(spec.droplet_id),
        "hostname": spec.name,
        "environment": {
            "container": "docker",
            "GREENROOM_RESOLVERS": " ".join(place.resolvers),
        },
        "labels": names.labels(
            "droplet",
            droplet=spec.droplet_id,
            vpc=spec.vpc_id,
            private_ipv4=spec.private_ipv4,
            public_ipv4=spec.public_ipv4,
        ),
        "stop_signal": STOP_SIGNAL,
    }
    host = {
        "cap_drop": ["ALL"],
        "cap_add": list(place.capabilities),
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "device_cgroup_rules": ["a *:* rwm"],
        "tmpfs": {"/run": "exec,mode=755", "/run/lock": ""},
        "cgroupns": "private",
        "binds": [f"{names.disk(spec.droplet_id)}:/var/lib/docker"],
        "extra_hosts": {REGISTRY_HOST: place.gateway, GIT_HOST: place.gateway},
        "log_config": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
        "restart_policy": {"Name": "no"},
        **cpu_limits(spec.vcpus, place.processors),
        **memory_limits(spec.memory_mib),
    }
    return container, host


def cpu_limits(vcpus: int, processors: int) -> dict[str, int]:
    """Return the limits of a droplet's processors, as far as this machine has that many."""
    return {"cpu_period": CPU_PERIOD_US, "cpu_quota": CPU_PERIOD_US * min(vcpus, processors)}


def memory_limits(memory_mib: int) -> dict[str, int]:
    """Return the limits of a droplet's memory; like a droplet it has no swap."""
    return {"mem_limit": memory_mib * MIB, "memswap_limit": memory_mib * MIB}


def seed(spec: MachineSpec) -> Mapping[str, str]:
    """Return cloud-init's NoCloud seed: file name -> content."""
    metadata = {
        "instance-id": str(spec.droplet_id),
        "local-hostname": spec.name,
        "region": spec.region,
        "public-keys": list(spec.ssh_keys),
    }
    return {
        "meta-data": json.dumps(metadata, indent=1) + "\n",
        "user-data": spec.user_data or "#cloud-config\n{}\n",
        "vendor-data": "",
    }


def seed_archive(files: Mapping[str, str]) -> bytes:
    """Return the seed as an archive for the droplet's disk, readable by root alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo(SEED)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(folder)
        for name, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(f"{SEED}/{name}")
            entry.mode, entry.size = 0o600, len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
