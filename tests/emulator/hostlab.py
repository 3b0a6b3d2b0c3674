"""A booted droplet, a git server it clones from, and the chain of host resources run on it as an engine would."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from infra.commands.templates import recipe
from infra.host import PACKAGES
from infra.host.baseline import BaselineProvider
from infra.host.checkout import CheckoutProvider
from infra.host.env_file import EnvFileProvider
from infra.host.gathering import gathering
from infra.host.health import HealthGateProvider
from infra.host.host_key import HostKeyProvider, PinnedHostProvider
from infra.host.images import ImagesProvider
from infra.host.keys import BootstrapProvider, new_key_pair
from infra.host.migrations import MigrationsProvider
from infra.host.proxy import ProxyProvider
from infra.host.stack import ComposeStackProvider
from infra.host.volume import DataVolumeProvider
from infra.transport.pool import close_all
from infra.transport.worker import Worker
from localcloud.hosting.git import application
from localcloud.machines import Machines, images
from localcloud.machines.spec import MachineSpec, VolumeMount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.host.resource import HostProvider

WORKLOAD = Path(__file__).parent / "host_workload"
DIRECTORY = "/home/deploy/hello"
DOMAIN = "staging.hello.test"
CIDR = "10.97.{}.0/24"
READS_AT_ONCE = 4
"""How many calls the SDK's dynamic provider serves at a time."""
PROVIDERS: dict[str, HostProvider] = {
    "host key": HostKeyProvider(),
    "pinned host": PinnedHostProvider(),
    "baseline": BaselineProvider(),
    "volume": DataVolumeProvider(),
    "checkout": CheckoutProvider(),
    "env file": EnvFileProvider(),
    "images": ImagesProvider(),
    "migrations": MigrationsProvider(),
    "stack": ComposeStackProvider(),
    "proxy": ProxyProvider(),
    "health": HealthGateProvider(),
}


@dataclass
class Wish:
    """What a run wants; tests change a field and run again."""

    commit: str
    secrets: dict[str, str] = field(default_factory=lambda: {"TOKEN": 'tok"en$1\\ #x'})
    values: dict[str, Any] = field(default_factory=lambda: {"GREETING": "hi {{ TOKEN }}", "LIST": ["a", "b"], "N": 5.0})
    timeout_s: float = 90.0


class Lab:
    """One droplet and the state that an engine would keep of it."""

    workload = WORKLOAD

    def __init__(self, machines: Machines, spec: MachineSpec, first: dict[str, Any], git: Path) -> None:
        self.machines, self.spec, self.first, self.git = machines, spec, first, git
        self.state: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, str] = {}

    # ---- what an engine does

    def run(self, wish: Wish) -> dict[str, str]:
        """Converge every resource in order; return the operation that each one took."""
        self.operations = {}
        self._do("host key", {"connection": self.first})
        pinned = {"connection": self.first, "public_key": self.state["host key"]["public_key"]}
        reach = {**self.first, "host_key": self._do("pinned host", pinned)["host_key"]}
        for name, inputs in self._inputs(reach, wish):
            self._do(name, inputs)
        return self.operations

    def refresh(self) -> dict[str, list[str]]:
        """Read every resource, as a process of its own would; return what was found to differ, by resource."""
        gathering.forget()
        names = [name for name in PROVIDERS if name in self.state]
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            answers = pool.map(lambda name: PROVIDERS[name].read(name, self.state[name]).outs or {}, names)
            self.state |= json.loads(json.dumps(dict(zip(names, answers, strict=True))))
        outs = {name: self.state[name] for name in names}
        return {name: each["drift"] for name, each in outs.items() if each["drift"] or not each["reachable"]}

    def findings(self) -> dict[str, list[dict[str, Any]]]:
        """Return what the last refresh found, in detail."""
        return {name: each["findings"] for name, each in self.state.items() if each.get("findings")}

    def destroy(self) -> None:
        """Delete every resource, last one first."""
        for name in reversed(PROVIDERS):
            PROVIDERS[name].delete(name, self.state.pop(name))

    # ---- what a person does

    def shell(self, script: str, *, stdin: str = "") -> str:
        """Run a script on the droplet as root, by a way of its own."""
        name = self.machines.names.droplet(self.spec.droplet_id)
        argv = ["docker", "exec", "-i", name, "bash", "-ec", f"cd {DIRECTORY} 2>/dev/null || cd /; {script}"]
        return subprocess.run(argv, check=True, capture_output=True, text=True, input=stdin).stdout

    def container(self, service: str) -> str:
        """Return the id of a service's container."""
        return self.shell(f"docker ps -aq --filter label=com.docker.compose.service={service}").strip()

    def environment(self) -> dict[str, str]:
        """Return what the application's container got as its environment."""
        return json.loads(self.shell("curl -fsS http://127.0.0.1:8002/environment"))

    def commit(self, **files: str) -> str:
        """Publish the workload with some files replaced; return the commit."""
        work = self.git.parent / "work"
        shutil.copytree(self.workload, work, dirs_exist_ok=True)
        (work / ".gitignore.workload").replace(work / ".gitignore")
        for name, text in files.items():
            (work / name.replace("_", ".")).write_text(text)
        run = ["git", "-C", str(work), "-c", "user.name=t", "-c", "user.email=t@example.test"]
        steps = [["init", "-q", "-b", "develop"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "x"]]
        for step in [*steps, ["push", "-q", "--force", str(self.git), "HEAD:refs/heads/develop"]]:
            subprocess.run([*run, *step], check=True)
        head = subprocess.run([*run, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        return head.stdout.strip()

    # ---- the parts

    def _do(self, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        provider, olds = PROVIDERS[name], self.state.get(name)
        assert provider.check({}, inputs).failures == []
        if olds is None:
            self.operations[name], outs = "create", provider.create(dict(inputs)).outs
        elif provider.diff(name, olds, inputs).changes:
            self.operations[name], outs = "update", provider.update(name, olds, dict(inputs)).outs
        else:
            self.operations[name], outs = "same", olds
        assert outs is not None
        assert not provider.diff(name, outs, inputs).changes, f"{name} would change again"
        self.state[name] = json.loads(json.dumps(outs))  # as it comes back from a state file
        return outs

    def _inputs(self, reach: dict[str, Any], wish: Wish) -> Iterator[tuple[str, dict[str, Any]]]:
        place = {
            "directory": DIRECTORY,
            "compose_file": "docker-compose.yml",
            "env_file": ".env.staging",
            "project": "hello",
            "variables": {"IMAGE_TAG": f"staging-{wish.commit[:7]}"},
            "secrets": ["TOKEN"],
        }
        project = {"connection": reach, "workload": place, "commit": wish.commit}
        keys = [self.first["login"]]
        yield "baseline", {"connection": reach, "user": "deploy", "authorized_keys": keys, "packages": list(PACKAGES)}
        data = [{"path": "cache", "owner": "root", "mode": "0755"}]
        yield "volume", {"connection": reach, "volume": "hello-data", "mount": "/mnt/hello_data", "directories": data}
        source = {"repository": "http://git.greenroom.test/hello.git", "branch": "develop", "commit": wish.commit}
        kept = {"keep": [".env.staging"], "directories": [{"path": "state", "owner": 1000.0, "mode": "0755"}]}
        yield "checkout", {"connection": reach, **source, "directory": DIRECTORY, "owner": "deploy", **kept}
        content = {"values": wish.values, "secrets": wish.secrets, "recipe": recipe("environment.env.j2")}
        yield "env file", {"connection": reach, "path": f"{DIRECTORY}/.env.staging", "owner": "deploy", **content}
        digest = self.state["env file"]["digest"]
        made_under = {"environment": digest, "key_fingerprint": self.state["baseline"]["key_fingerprint"]}
        yield "images", {**project, "mode": "build"}
        verbs = {"command": ["python", "/app/app.py", "upgrade"], "current": ["python", "/app/app.py", "current"]}
        yield "migrations", {**project, "service": "app", **verbs, "workdir": "", **made_under}
        yield "stack", {**project, **made_under, "timeout_s": wish.timeout_s}
        routes = [{"path": "/*", "port": 8002.0}]
        served = {"domain": DOMAIN, "routes": routes, "tls": "internal", "email": "", "recipe": recipe("Caddyfile.j2")}
        yield "proxy", {"connection": reach, **served}
        authority = self.state["proxy"]["ca_certificate"]
        asked = {"domain": DOMAIN, "paths": ["/health", "/ready"], "ca_certificate": authority, "timeout_s": 30.0}
        yield "health", {"connection": reach, **asked, "triggers": [wish.commit, digest]}


@contextlib.contextmanager
def counted_requests() -> Iterator[list[str]]:
    """Yield a list that grows by the subject of each request that goes out to a worker: one round trip each."""
    asked: list[str] = []
    call = Worker.call

    def counting(self: Worker, **request: Any) -> dict[str, Any]:
        asked.append(request["subject"])
        return call(self, **request)

    Worker.call = counting  # type: ignore[method-assign]  (counts, and passes everything on)
    try:
        yield asked
    finally:
        Worker.call = call  # type: ignore[method-assign]


@contextlib.contextmanager
def booted_lab(home: Path, kind: type[Lab] = Lab) -> Iterator[Lab]:
    """Boot a droplet from nothing and yield it, as a lab of some `kind`; leave nothing behind."""
    images.ensure(print)
    git = home / "git" / "hello.git"
    subprocess.run(["git", "init", "-q", "--bare", str(git)], check=True)
    with serving_git(git.parent) as port:
        label = hashlib.sha256(f"{home}{os.getpid()}".encode()).hexdigest()[:12]
        machines = Machines(home, label, git_port=port)
        machines.create_volume("hello-volume", 1)
        boot = BootstrapProvider().create({"generation": 1}).outs or {}
        login = new_key_pair()
        network = CIDR.format(int(label[:2], 16))
        address = network.replace(".0/24", ".10")
        spec = MachineSpec(
            droplet_id=970001,
            name="hostlab",
            image=images.DROPLET,
            vcpus=2,
            memory_mib=2048,
            user_data=str(boot["user_data"]),
            ssh_keys=(login[0],),
            vpc_id=f"hostlab-{label}",
            vpc_cidr=network,
            private_ipv4=address,
            public_ipv4="",
            volumes=(VolumeMount("hello-volume", "hello-data"),),
        )
        first = {
            "machine": "970001",
            "host": address,
            "port": 22.0,
            "user": "root",
            "private_key": login[1],
            "host_key": boot["host_key"],
            "login": login[0],
        }
        try:
            machines.create(spec)
            yield kind(machines, spec, first, git)
        finally:
            close_all()
            machines.sweep()


@contextlib.contextmanager
def serving_git(root: Path) -> Iterator[int]:
    """Serve a directory of repositories; yield the port."""
    config = uvicorn.Config(application(root), host="127.0.0.1", port=0, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
