"""Several droplets with the small workload of the host tests on each, deployed by the chain of host resources."""

from __future__ import annotations

__all__ = ["Fleet", "booted_fleet"]

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "emulator"))

from hostlab import Lab, serving_git  # noqa: E402 - the laboratory of the host tests boots droplets already

from infra.host import PACKAGES  # noqa: E402 - as above
from infra.host.keys import BootstrapProvider, new_key_pair  # noqa: E402 - as above
from localcloud.machines import Machines, images  # noqa: E402 - as above
from localcloud.machines.spec import MachineSpec  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Generator

    from yardsticks import Checks


class BenchLab(Lab):
    """Publishes the bench's own workload."""

    workload = HERE / "hosts" / "workload"


OPERATE = HERE / "hosts" / "operate.py"
NETWORK = "10.96.{}.0/24"
SCHEMA = "SELECT version_num FROM alembic_version"


@dataclass(frozen=True)
class Fleet:
    """The droplets, and how each operation on them is started."""

    droplets: list[dict[str, Any]]
    commit: str
    home: Path
    machines: Machines

    def stack(self, count: int) -> Path:
        """Return the directory of the stack of the first `count` droplets, laid out where it is not yet there.

        A droplet that another of these stacks has deployed to is known by the key that it has had since.
        """
        directory = self.home / f"stack-{count}"
        if directory.exists():
            return directory
        directory.mkdir()
        for name in ("Pulumi.yaml", "__main__.py"):
            (directory / name).write_text((HERE / "hosts" / name).read_text())
        droplets = [
            {**first, "host_key": self._key(n) or first["host_key"]} for n, first in enumerate(self.droplets[:count])
        ]
        (directory / "fleet.json").write_text(json.dumps({"droplets": droplets, "commit": self.commit}))
        (directory / "Pulumi.fleet.yaml").write_text(f"config:\n  bench-hosts:fleet: {directory}/fleet.json\n")
        return directory

    def operation(self, verb: str, count: int) -> list[str]:
        """Return the command line of one operation."""
        return [sys.executable, str(OPERATE), verb, str(self.stack(count))]

    def checks(self, count: int) -> Checks:
        """Return what the yardsticks check on the first `count` droplets."""
        from yardsticks import Checks  # noqa: PLC0415 - beside this file

        env_file = "/home/deploy/hello/.env.staging"
        digest = self.on(0, f"sha256sum {env_file}").split()[0]
        return Checks(
            hosts=tuple(each["host"] for each in self.droplets[:count]),
            host_keys=tuple(self._key(number) for number in range(count)),
            private_key=self.droplets[0]["private_key"],
            packages=PACKAGES,
            user="deploy",
            directory="/home/deploy/hello",
            env_file=env_file,
            env_sha256=digest,
            commit=self.commit,
            project="hello",
            containers=2,
            schema=("db", f"psql -XAtq -U hello -d hello -c '{SCHEMA}'", "0001"),
            domain="staging.hello.test",
            paths=("/health", "/ready", "/environment"),
        )

    def _key(self, number: int) -> str:
        """Return the host key that a deployment has made on a droplet; empty where there was none yet."""
        path = "/etc/ssh/greenroom_host_ed25519_key.pub"
        return " ".join(self.on(number, f"cat {path} 2>/dev/null || true").split()[:2])

    def on(self, number: int, script: str) -> str:
        """Run a script on a droplet, by a way of its own."""
        name = self.machines.names.droplet(int(self.droplets[number]["machine"]))
        return subprocess.run(
            ["docker", "exec", name, "bash", "-ec", script], check=True, capture_output=True, text=True
        ).stdout


@contextlib.contextmanager
def booted_fleet(home: Path, count: int) -> Generator[Fleet]:
    """Boot `count` droplets; leave nothing behind."""
    images.ensure(_say)
    git = home / "git" / "hello.git"
    subprocess.run(["git", "init", "-q", "--bare", str(git)], check=True)
    login = new_key_pair()
    with serving_git(git.parent) as port:
        machines = Machines(home, f"bench{port:x}"[:12], git_port=port)
        try:
            droplets = [_boot(machines, number, login) for number in range(count)]
            commit = BenchLab(machines, droplets[0][0], {}, git).commit()
            yield Fleet([first for _, first in droplets], commit, home, machines)
        finally:
            machines.sweep()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _boot(machines: Machines, number: int, login: tuple[str, str]) -> tuple[MachineSpec, dict[str, Any]]:
    boot = BootstrapProvider().create({"generation": 1}).outs or {}
    network = NETWORK.format(int(machines.names.label[5:], 16) % 250)
    spec = MachineSpec(
        droplet_id=960001 + number,
        name=f"bench-{number}",
        image=images.DROPLET,
        vcpus=2,
        memory_mib=2048,
        user_data=str(boot["user_data"]),
        ssh_keys=(login[0],),
        vpc_id="bench",
        vpc_cidr=network,
        private_ipv4=network.replace(".0/24", f".{10 + number}"),
        public_ipv4="",
        volumes=(),
    )
    machines.create(spec)
    first = {
        "machine": str(spec.droplet_id),
        "host": spec.private_ipv4,
        "host_key": boot["host_key"],
        "private_key": login[1],
        "login": login[0],
    }
    return spec, first
