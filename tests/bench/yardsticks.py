"""The same checks of a host by other means: one script over bare `ssh`, an Ansible playbook, a pyinfra deploy.

Each asks for packages, the account, the checkout's directory, the env file's mode and checksum, the commit, the
containers' healths, the schema's revision, and three URLs through the proxy; each ends with an error when one of them
is not so.
"""

from __future__ import annotations

__all__ = ["Checks", "Tool", "ansible", "bare_ssh", "pyinfra"]

import json
import shlex
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Checks:
    """What has to be so on each host."""

    hosts: tuple[str, ...]
    host_keys: tuple[str, ...]
    private_key: str
    packages: tuple[str, ...]
    user: str
    directory: str
    env_file: str
    env_sha256: str
    commit: str
    project: str
    containers: int
    schema: tuple[str, str, str]
    """Service, the command that tells where the schema stands, and what it has to print."""
    domain: str
    paths: tuple[str, ...]

    def inspect(self) -> str:
        """Return the command that ends well when every container of the project runs and is healthy."""
        filters = f"--filter label=com.docker.compose.project={self.project} --filter health=healthy"
        return f'test "$(docker ps -q {filters} | wc -l)" = {self.containers}'

    def commands(self) -> tuple[str, ...]:
        """Return what no module of the tools asks: containers, schema, URLs."""
        return (self.inspect(), self.revision(), *self.urls())

    def revision(self) -> str:
        """Return the command that ends well when the schema is at the head."""
        service, command, expected = self.schema
        filters = f"-f label=com.docker.compose.project={self.project} -f label=com.docker.compose.service={service}"
        return f'test "$(docker exec $(docker ps -q {filters}) {command})" = "{expected}"'

    def urls(self) -> list[str]:
        """Return the command for each URL."""
        authority = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt"
        options = f"-fsS -o /dev/null --resolve {self.domain}:443:127.0.0.1 --cacert {authority}"
        return [f"curl {options} https://{self.domain}{path}" for path in self.paths]


@dataclass(frozen=True)
class Tool:
    """A yardstick made ready: its name, and the command lines that are run at once."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    directory: Path


def bare_ssh(checks: Checks, directory: Path) -> Tool:
    """One connection to each host, one script, no multiplexing: the floor."""
    options = _ssh_options(checks, directory)
    script = "\n".join(
        (
            "set -eu",
            f"! dpkg-query -W -f '${{db:Status-Status}}\\n' {' '.join(checks.packages)} | grep -qvx installed",
            f"getent passwd {checks.user} | grep -q ':/bin/bash$'",
            f"id -nG {checks.user} | grep -qw docker",
            f'test "$(stat -c "%a %U" {checks.directory})" = "755 {checks.user}"',
            f'test "$(stat -c "%a %U" {checks.env_file})" = "600 {checks.user}"',
            f'test "$(sha256sum <{checks.env_file} | cut -d" " -f1)" = {checks.env_sha256}',
            f'test "$(git -c safe.directory="*" -C {checks.directory} rev-parse HEAD)" = {checks.commit}',
            checks.inspect(),
            checks.revision(),
            *checks.urls(),
        )
    )
    commands = tuple(("ssh", *options, f"root@{host}", script) for host in checks.hosts)
    return Tool("bare ssh", commands, directory)


def ansible(checks: Checks, directory: Path, cache: Path) -> Tool:
    """A playbook of the modules that an engineer would take, pipelined, all hosts at once."""
    python = _environment("ansible", cache)
    tasks = [
        {"ansible.builtin.apt": {"name": list(checks.packages), "state": "present"}},
        {"ansible.builtin.user": {"name": checks.user, "shell": "/bin/bash", "groups": "docker", "append": True}},
        {"ansible.builtin.file": {"path": checks.directory, "state": "directory", **_owned(checks, "0755")}},
        {"ansible.builtin.file": {"path": checks.env_file, "state": "file", **_owned(checks, "0600")}},
        {
            "ansible.builtin.stat": {"path": checks.env_file, "checksum_algorithm": "sha256"},
            "register": "env",
            "failed_when": f"env.stat.checksum != '{checks.env_sha256}'",
        },
        {
            "ansible.builtin.command": f"git -c safe.directory=* -C {checks.directory} rev-parse HEAD",
            "register": "head",
            "changed_when": False,
            "failed_when": f"head.stdout != '{checks.commit}'",
        },
        *({"ansible.builtin.shell": each, "changed_when": False} for each in checks.commands()),
    ]
    play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    (directory / "play.yml").write_text(json.dumps(play))
    options = shlex.join(_ssh_options(checks, directory))
    hosts = "".join(f"{host} ansible_user=root ansible_python_interpreter=/usr/bin/python3\n" for host in checks.hosts)
    (directory / "inventory").write_text(f"[all]\n{hosts}")
    (directory / "ansible.cfg").write_text(
        f"[defaults]\ninventory=inventory\nforks={max(5, len(checks.hosts))}\n[ssh_connection]\npipelining=True\n"
        f"ssh_args=-o ControlMaster=auto -o ControlPersist=60s {options}\n"
    )
    return Tool("ansible", ((str(python.with_name("ansible-playbook")), "play.yml"),), directory)


def pyinfra(checks: Checks, directory: Path, cache: Path) -> Tool:
    """A deploy of the operations that an engineer would take, all hosts at once."""
    python = _environment("pyinfra", cache)
    _ssh_options(checks, directory)
    data = {
        "ssh_user": "root",
        "ssh_key": str(directory / "key"),
        "ssh_known_hosts_file": str(directory / "known_hosts"),
    }
    (directory / "inventory.py").write_text(f"hosts = [(host, {data!r}) for host in {list(checks.hosts)!r}]\n")
    questions = list(checks.commands())
    (directory / "deploy.py").write_text(
        "from pyinfra import host\n"
        "from pyinfra.facts.files import Sha256File\nfrom pyinfra.facts.server import Command\n"
        "from pyinfra.operations import apt, files, server\n"
        f"apt.packages(packages={list(checks.packages)!r})\n"
        f"server.user(user={checks.user!r}, shell='/bin/bash', groups=['docker'], append=True)\n"
        f"files.directory(path={checks.directory!r}, mode='755', user={checks.user!r})\n"
        f"files.file(path={checks.env_file!r}, mode='600', user={checks.user!r})\n"
        f"assert host.get_fact(Sha256File, path={checks.env_file!r}) == {checks.env_sha256!r}\n"
        f"head = host.get_fact(Command, command='git -c safe.directory=* -C {checks.directory} rev-parse HEAD')\n"
        f"assert head == {checks.commit!r}, head\n"
        f"for question in {questions!r}:\n"
        "    assert host.get_fact(Command, command=f'{question} && echo good') == 'good', question\n"
    )
    command = (str(python.with_name("pyinfra")), "-y", "inventory.py", "deploy.py")
    return Tool("pyinfra", (command,), directory)


def _owned(checks: Checks, mode: str) -> dict[str, str]:
    return {"mode": mode, "owner": checks.user}


def _ssh_options(checks: Checks, directory: Path) -> list[str]:
    """Write key and known hosts, and return the options that use them alone."""
    key = directory / "key"
    key.unlink(missing_ok=True)
    key.touch(mode=0o600)
    key.write_text(checks.private_key)
    known = zip(checks.hosts, checks.host_keys, strict=True)
    (directory / "known_hosts").write_text("".join(f"{host} {' '.join(line.split()[:2])}\n" for host, line in known))
    options = {
        "IdentityFile": key,
        "UserKnownHostsFile": directory / "known_hosts",
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlgorithms": "ssh-ed25519",
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
    }
    return ["-F", "none", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]


def _environment(name: str, cache: Path) -> Path:
    """Build a tool's own virtual environment from its lock, once; return its Python."""
    directory, lock = cache / name, HERE / f"{name}.lock"
    python, stamp = directory / "bin" / "python", directory / ".lock"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        venv.create(directory, with_pip=True, clear=True)
        quiet = ("-q", "--disable-pip-version-check", "--require-hashes")
        subprocess.run([str(python), "-m", "pip", "install", *quiet, "-r", str(lock)], check=True, stdout=sys.stderr)
        subprocess.run([str(python), "-m", "compileall", "-q", str(directory / "lib")], check=False)
        stamp.write_bytes(lock.read_bytes())
    return python
