"""Machines: droplets as system containers on this machine's Docker engine."""

from __future__ import annotations

__all__ = ["Machines"]

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import requests

from localcloud.hosting.registry import Registry
from localcloud.machines import container, surroundings
from localcloud.machines.container import Place
from localcloud.machines.disks import Disks, remove_volume
from localcloud.machines.engine import capabilities, client, engine_facts
from localcloud.machines.names import DISK, Names
from localcloud.machines.network import Network
from localcloud.machines.privilege import copy_volume
from localcloud.machines.spec import MachineError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from localcloud.machines.spec import MachineSpec, NetworkPlan, VolumeMount

log = logging.getLogger("greenroom.machines")

SHUTDOWN_S = 60
RETRY_S, QUIET_S = 2.0, 86_400
REBOOTED = "129"
"""How a system container's first process ends when the system in it reboots: by SIGHUP (power off: by SIGINT)."""
GIT_PORT, REGISTRY_PORT = 80, 5000


class Machines:
    """The droplets, volumes and networks of one cloud.

    All methods block, may be called from any thread, and are safe to repeat. They raise MachineError, with what mends
    it where something does.
    """

    def __init__(self, home: Path, label: str, *, git_port: int = 0) -> None:
        self.names = Names(label)
        self._surroundings = surroundings.observe()
        self._registry = Registry(self.names)
        self._git_port = git_port
        self._network = Network(self.names, mtu=self._surroundings.mtu, services=self._services)
        self._disks = Disks(self.names, home / "cloud" / "attachments.json")

    def create(self, spec: MachineSpec) -> None:
        """Boot a droplet; returns when it runs, not when its first-boot work is done."""
        if self.state(spec.droplet_id) == "missing":
            gateway = self._network.ensure(spec.vpc_id, spec.vpc_cidr)
            self._make(spec, gateway)
        self.start(spec.droplet_id)

    def start(self, droplet_id: int) -> None:
        """Switch on; its volumes are mounted before anything in it starts."""
        name = self.names.droplet(droplet_id)
        try:
            client().api.start(name)
        except docker.errors.APIError as error:
            raise MachineError(f"Can't start droplet {droplet_id}: {error.explanation}") from error
        self._disks.mount(droplet_id)

    def stop(self, droplet_id: int, *, graceful: bool) -> None:
        """Switch off, asking the system first when graceful."""
        name = self.names.droplet(droplet_id)
        if self.state(droplet_id) != "running":
            return
        if graceful:
            client().api.stop(name, timeout=SHUTDOWN_S)
        else:
            client().api.kill(name)
            client().api.wait(name)

    def reboot(self, droplet_id: int) -> None:
        """Restart in an orderly way."""
        self.stop(droplet_id, graceful=True)
        self.start(droplet_id)

    def destroy(self, droplet_id: int) -> None:
        """Remove machine and disk; block volumes stay."""
        try:
            client().api.remove_container(self.names.droplet(droplet_id), v=True, force=True)
        except docker.errors.NotFound:
            log.debug("droplet %d has no machine", droplet_id)
        remove_volume(self.names.disk(droplet_id))
        self._disks.forget(droplet_id)

    def state(self, droplet_id: int) -> str:
        """Return "running", "off" or "missing"."""
        try:
            facts = client().api.inspect_container(self.names.droplet(droplet_id))
        except docker.errors.NotFound:
            return "missing"
        return "running" if facts["State"]["Running"] else "off"

    def list_ids(self) -> Collection[int]:
        """Return the droplets that have a machine, running or not."""
        found = client().api.containers(all=True, filters=self.names.filters("droplet"))
        return {int(item["Labels"]["greenroom.droplet"]) for item in found}

    def resize(self, droplet_id: int, vcpus: int, memory_mib: int) -> None:
        """Change processors and memory, at once when it runs."""
        limits: dict[str, Any] = container.cpu_limits(vcpus, self._processors) | container.memory_limits(memory_mib)
        client().api.update_container(self.names.droplet(droplet_id), **limits)

    def snapshot(self, droplet_id: int, image_id: int) -> str:
        """Keep the disk as an image, with what the droplet's own engine holds; returns the reference to boot it by."""
        reference, disk = self.names.snapshot(image_id), self.names.snapshot_disk(image_id)
        labels = self.names.labels("snapshot") | {DISK: disk}
        client().api.create_volume(disk, labels=labels)
        name = self.names.droplet(droplet_id)
        frozen = self.state(droplet_id) == "running"
        if frozen:
            client().api.pause(name)
        try:
            client().api.commit(name, *reference.split(":"), pause=False, conf={"Labels": labels})
            copy_volume(self.names.disk(droplet_id), disk)
        finally:
            if frozen:
                client().api.unpause(name)
        return reference

    def delete_image(self, reference: str) -> None:
        """Forget a snapshot; droplets made from it stay."""
        try:
            disk = (client().images.get(reference).labels or {}).get(DISK)
        except docker.errors.ImageNotFound:
            return
        client().api.remove_image(reference, force=True)
        if disk:
            remove_volume(disk)

    def rebuild(self, spec: MachineSpec) -> None:
        """Start over from the spec's image, with the same identity, addresses and volumes."""
        self.destroy(spec.droplet_id)
        self.create(spec)

    def attach(self, droplet_id: int, mount: VolumeMount) -> None:
        """Give a volume to a droplet, at once when it runs; UnsupportedError where the kernel can't."""
        self._disks.attach(droplet_id, mount, running=self.state(droplet_id) == "running")

    def detach(self, droplet_id: int, mount: VolumeMount) -> None:
        """Take a volume from a droplet."""
        if self.state(droplet_id) != "missing":
            self._disks.detach(droplet_id, mount, running=self.state(droplet_id) == "running")

    def create_volume(self, volume_id: str, size_gib: int) -> None:
        """Make an empty volume."""
        self._disks.create(volume_id, size_gib)

    def delete_volume(self, volume_id: str) -> None:
        """Remove a volume and what is on it."""
        self._disks.delete(volume_id)

    def delete_network(self, vpc_id: str) -> None:
        """Remove a VPC's network, if it was ever used."""
        self._network.remove(vpc_id)

    def apply_network(self, plan: NetworkPlan) -> None:
        """Bring public addresses and firewalls in line with the plan, as a whole."""
        self._network.apply(plan)

    def sweep(self) -> None:
        """Remove everything of this cloud: droplets, volumes, snapshots, networks, rules, the registry."""
        for found in client().api.containers(all=True, filters=self.names.filters()):
            client().api.remove_container(found["Id"], v=True, force=True)
        for image in client().api.images(filters=self.names.filters()):
            client().api.remove_image(image["Id"], force=True)
        for volume in client().api.volumes(filters=self.names.filters())["Volumes"] or []:
            remove_volume(volume["Name"])
        self._network.sweep()

    def watch(self) -> None:
        """Bring droplets that reboot themselves up again, from now on and in the background."""
        threading.Thread(target=self._watch, name="machines", daemon=True).start()

    def _watch(self) -> None:
        patient = docker.from_env(timeout=QUIET_S)
        filters = {"event": "die", **self.names.filters("droplet")}
        while True:
            try:
                for event in patient.api.events(decode=True, filters=filters):
                    self._restart(event["Actor"]["Attributes"])
            except (docker.errors.DockerException, requests.exceptions.RequestException):
                log.exception("lost the engine's events; trying again")
                time.sleep(RETRY_S)

    def _restart(self, died: dict[str, str]) -> None:
        if died.get("exitCode") == REBOOTED:
            droplet_id = int(died["greenroom.droplet"])
            log.info("droplet %d reboots", droplet_id)
            try:
                self.start(droplet_id)
            except MachineError:
                log.exception("droplet %d does not come up again", droplet_id)

    def _services(self) -> dict[int, int]:
        git = {GIT_PORT: self._git_port} if self._git_port else {}
        return {**git, REGISTRY_PORT: self._registry.ensure()}

    @property
    def _processors(self) -> int:
        return int(engine_facts()["NCPU"])

    def _make(self, spec: MachineSpec, gateway: str) -> None:
        place = Place(capabilities(), self._processors, self._surroundings.resolvers, gateway)
        config, host = container.configuration(spec, self.names, place)
        self._make_disk(spec)
        api = client().api
        network: Any = {self.names.network(spec.vpc_id): api.create_endpoint_config(ipv4_address=spec.private_ipv4)}
        try:
            api.create_container(
                **config,
                host_config=api.create_host_config(**host) | container.UNMASKED,
                networking_config=api.create_networking_config(network),
            )
        except docker.errors.APIError as error:
            raise MachineError(f"Can't make droplet {spec.droplet_id}: {error.explanation}") from error
        name = self.names.droplet(spec.droplet_id)
        api.put_archive(name, "/", container.seed_archive(container.seed(spec)))
        self._disks.assign(spec.droplet_id, spec.volumes)

    def _make_disk(self, spec: MachineSpec) -> None:
        """Make the volume under the droplet's own Docker engine; a snapshot's is copied."""
        disk = self.names.disk(spec.droplet_id)
        remove_volume(disk)
        client().api.create_volume(disk, labels=self.names.labels("disk", droplet=spec.droplet_id))
        try:
            facts: dict[str, Any] = client().api.inspect_image(spec.image)
        except docker.errors.ImageNotFound as error:
            raise MachineError(f"There is no image {spec.image}.\n  next: greenroom cloud start") from error
        source = (facts["Config"].get("Labels") or {}).get(DISK)
        if source:
            copy_volume(source, disk)
