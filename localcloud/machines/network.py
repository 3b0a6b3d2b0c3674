"""VPCs as Docker networks, and the one place that changes the machine's packet filter for a cloud."""

from __future__ import annotations

__all__ = ["Network"]

import ipaddress
import threading
from typing import TYPE_CHECKING, Any

import docker.errors
from docker.types import IPAMConfig, IPAMPool

from localcloud.machines import firewall
from localcloud.machines.engine import client
from localcloud.machines.firewall import Bridge
from localcloud.machines.privilege import run_script
from localcloud.machines.spec import MachineError, NetworkPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.machines.names import Names

FORBIDDEN = 403


class Network:
    """The networks and addresses of one cloud on this machine.

    ``services`` says what droplets reach at their gateway: port there -> port on this machine's loopback. It is asked
    once there is a network.
    """

    def __init__(self, names: Names, *, mtu: int, services: Callable[[], Mapping[int, int]]) -> None:
        self._names = names
        self._mtu = mtu
        self._lock = threading.RLock()
        self._plan = NetworkPlan()
        self._services = services

    def ensure(self, vpc_id: str, cidr: str) -> str:
        """Return the gateway of a VPC's network, made at need; MachineError when its addresses are in use here."""
        with self._lock:
            name = self._names.network(vpc_id)
            try:
                return _gateway(client().api.inspect_network(name))
            except docker.errors.NotFound:
                self._create(name, vpc_id, cidr)
            gateway = _gateway(client().api.inspect_network(name))
            self.apply(self._plan)
            return gateway

    def remove(self, vpc_id: str) -> None:
        """Remove a VPC's network; nothing happens when there is none."""
        with self._lock:
            try:
                client().api.remove_network(self._names.network(vpc_id))
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as error:
                if error.status_code == FORBIDDEN:
                    raise MachineError(f"VPC {vpc_id} still has droplets") from error
                raise
            self.apply(self._plan)

    def apply(self, plan: NetworkPlan) -> None:
        """Put the whole plan in force: addresses, firewalls, services."""
        with self._lock:
            networks = client().api.networks(filters=self._names.filters("network"))
            bridges = [Bridge(_device(network), _gateway(network)) for network in networks]
            droplets = client().api.containers(all=True, filters=self._names.filters("droplet"))
            private = {
                int(droplet["Labels"]["greenroom.droplet"]): droplet["Labels"]["greenroom.private-ipv4"]
                for droplet in droplets
            }
            services = self._services() if bridges else {}
            script = firewall.apply_script(self._names.label, plan, bridges=bridges, private=private, services=services)
            run_script(script)
            self._plan = plan

    def sweep(self) -> None:
        """Remove every network and rule of the cloud."""
        with self._lock:
            for network in client().api.networks(filters=self._names.filters("network")):
                client().api.remove_network(network["Id"])
            run_script(firewall.remove_script(self._names.label))
            self._plan = NetworkPlan()

    def _create(self, name: str, vpc_id: str, cidr: str) -> None:
        gateway = str(next(ipaddress.ip_network(cidr).hosts()))
        try:
            client().api.create_network(
                name,
                driver="bridge",
                check_duplicate=True,
                labels=self._names.labels("network", vpc=vpc_id),
                ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=cidr, gateway=gateway)]),
                options={
                    "com.docker.network.bridge.name": self._names.bridge(vpc_id),
                    "com.docker.network.driver.mtu": str(self._mtu),
                },
            )
        except docker.errors.APIError as error:
            if "overlap" in str(error.explanation):
                raise MachineError(
                    f"The network {cidr} is already in use on this machine.\n"
                    "  next: choose another CIDR for the VPC, or see `docker network ls`"
                ) from error
            raise MachineError(f"Can't make network {cidr}: {error.explanation}") from error


def _gateway(network: dict[str, Any]) -> str:
    return str(network["IPAM"]["Config"][0]["Gateway"])


def _device(network: dict[str, Any]) -> str:
    return str(network["Options"]["com.docker.network.bridge.name"])
