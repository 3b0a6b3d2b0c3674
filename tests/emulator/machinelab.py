"""A cloud's machines without its API: droplets booted by hand, reached over ssh with the keys the test made."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localcloud.machines import Machines, MachineSpec, NetworkPlan, PublicAddress, images

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.machines import DropletPolicy, VolumeMount

BOOT_S = 90.0
PROBE_S = 2.0
RUN = os.getpid() % 200
BLOCK = 201


@dataclass
class MachineLab:
    """One cloud on this machine, with names, networks and addresses of this test run."""

    home: Path
    label: str = field(default_factory=lambda: f"test{os.getpid():x}"[:12])

    def __post_init__(self) -> None:
        self.machines = Machines(self.home, self.label)
        self.key = self.home / "key"
        self.home.mkdir(parents=True, exist_ok=True)
        for path in (self.key, self.home / "host_key"):
            if not path.exists():
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)

    def address(self, number: int) -> str:
        return f"127.{BLOCK}.10.{number}"

    def private(self, number: int) -> str:
        return f"10.98.{RUN}.{number + 1}"

    def spec(self, number: int, *volumes: VolumeMount, image: str = images.DROPLET) -> MachineSpec:
        host_key = (self.home / "host_key").read_text()
        indented = "".join(f"      {line}\n" for line in host_key.splitlines())
        user_data = (
            "#cloud-config\nssh_keys:\n  ed25519_private: |\n" + indented + "write_files:\n"
            "  - path: /etc/made-by-cloud-init\n    content: made\nruncmd:\n  - [touch, /root/runcmd-ran]\n"
        )
        return MachineSpec(
            droplet_id=number,
            name=f"web-{number}",
            image=image,
            vcpus=1,
            memory_mib=1024,
            user_data=user_data,
            ssh_keys=(self.key.with_suffix(".pub").read_text().strip(),),
            vpc_id="vpc-1",
            vpc_cidr=f"10.98.{RUN}.0/24",
            private_ipv4=self.private(number),
            public_ipv4=self.address(number),
            volumes=volumes,
        )

    def plan(
        self, *numbers: int, reserved: tuple[PublicAddress, ...] = (), firewalls: tuple[DropletPolicy, ...] = ()
    ) -> None:
        own = tuple(PublicAddress(self.address(number), number, self.private(number)) for number in numbers)
        self.machines.apply_network(NetworkPlan(own + reserved, firewalls))

    def ssh(self, address: str, command: str, *, check: bool = True) -> str:
        """Run a command; the host key is pinned to the one that went in by user data."""
        known = self.home / "known_hosts"
        public = " ".join((self.home / "host_key.pub").read_text().split()[:2])
        known.write_text(f"{address} {public}\n")
        argv = ["ssh", "-i", str(self.key), "-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes"]
        argv += ["-o", "BatchMode=yes", "-o", "ConnectTimeout=2", "-F", "none", f"root@{address}", command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        if check and done.returncode:
            raise AssertionError(f"{command}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def await_boot(self, address: str) -> str:
        """Wait until first-boot work is done; return what systemd says of the system."""
        deadline = time.monotonic() + BOOT_S
        while not reachable(address, 22) or not self.ssh(address, "true && echo up", check=False):
            if time.monotonic() > deadline:
                raise AssertionError(f"{address} did not boot within {BOOT_S:.0f} s")
            time.sleep(0.1)
        self.ssh(address, "cloud-init status --wait >/dev/null")
        return self.ssh(address, "systemctl is-system-running --wait", check=False)


def reachable(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=PROBE_S).close()
    except OSError:
        return False
    return True
