"""The machine's own Docker engine: found running, or started, with systemd or without it."""

from __future__ import annotations

__all__ = ["capabilities", "client", "engine_facts", "ensure_docker", "release_docker"]

import functools
import json
import os
import shutil
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import docker.errors

from localcloud.docker_socket import knock
from localcloud.machines.spec import MachineError
from localcloud.processes import ProcessIdentity, detach, end, reap

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import DockerClient

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
CALL_TIMEOUT_S = 180
RECORD = "dockerd.json"
"""Which process the engine is that was started here."""
_STATE = Path("/var/lib/greenroom")
# capabilities(7), in the kernel's order of bits.
# fmt: off
_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
)
# fmt: on
# A droplet never reaches the machine's kernel modules or clock.
_WITHHELD = frozenset({"SYS_MODULE", "SYS_TIME"})


@functools.cache
def client() -> DockerClient:
    """Return the client of this machine's engine (one per process; it is safe to share between threads)."""
    return docker.from_env(timeout=CALL_TIMEOUT_S, max_pool_size=32)


@functools.cache
def engine_facts() -> dict[str, Any]:
    """Return what ``docker info`` says, asked once."""
    return client().info()


@functools.cache
def capabilities() -> tuple[str, ...]:
    """Return the capabilities a droplet gets: what a booting system needs, as far as this machine has it to give."""
    status = Path("/proc/1/status").read_text(encoding="ascii", errors="replace")
    bounding = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd:")), -1)
    held = (name for bit, name in enumerate(_CAPABILITIES) if bounding >> bit & 1)
    return tuple(name for name in held if name not in _WITHHELD)


def ensure_docker(say: Callable[[str], None]) -> None:
    """Return when this machine's Docker engine answers; start it where it doesn't run.

    Raises MachineError, with the command that mends it, when there is none, it can't be reached by this user, or it
    doesn't start.
    """
    fault = _fault()
    if fault is None:
        return
    if isinstance(fault, PermissionError):
        user = os.environ.get("USER", "$USER")
        raise MachineError(
            "The Docker engine runs, but this user may not use it.\n"
            f"  next: sudo usermod -aG docker {user} && newgrp docker"
        )
    if not shutil.which("dockerd"):
        raise MachineError("There is no Docker engine on this machine.\n  next: sudo apt-get install -y docker.io")
    if os.geteuid() != 0:
        raise MachineError("The Docker engine does not run.\n  next: sudo systemctl start docker")
    if Path("/run/systemd/system").is_dir():
        say("docker: starting the engine with systemd")
        subprocess.run(["systemctl", "start", "docker"], check=False)
        log = "journalctl -u docker"
    else:
        log = _start_detached(say)
    _await_engine(log)


def _fault() -> Exception | None:
    try:
        knock()
        client().ping()
    except OSError as error:
        client.cache_clear()
        return error
    except docker.errors.DockerException as error:
        client.cache_clear()
        return PermissionError(str(error)) if "Permission denied" in str(error) else error
    return None


def _start_detached(say: Callable[[str], None]) -> str:
    _STATE.mkdir(parents=True, exist_ok=True)
    log = _STATE / "dockerd.log"
    say(f"docker: starting the engine, detached (log {log})")
    started = detach([shutil.which("dockerd") or "/usr/sbin/dockerd"], log)
    (_STATE / RECORD).write_text(json.dumps(asdict(started)), encoding="utf-8")
    return f"tail {log}"


def _await_engine(log: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while _fault() is not None:
        if time.monotonic() > deadline:
            raise MachineError(f"The Docker engine did not answer within {START_TIMEOUT_S:.0f} s.\n  next: {log}")
        time.sleep(0.2)


def release_docker(say: Callable[[str], None]) -> None:
    """Stop the engine, if it was started detached by `ensure_docker` and nobody has a container on it any more.

    Images and caches stay on disk; an engine that this machine's init system runs is left alone.
    """
    record = _STATE / RECORD
    try:
        process = ProcessIdentity(**json.loads(record.read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return
    if process.is_running:
        if _fault() is not None:
            say("docker: the engine does not answer; leaving it as it is")
            return
        others = client().api.containers(all=True)
        if others:
            names = ", ".join(sorted(item["Names"][0].lstrip("/") for item in others))
            say(f"docker: leaving the engine running for {names}")
            return
        say("docker: stopping the engine, as nothing uses it")
        client().close()
        client.cache_clear()
        end(process, STOP_TIMEOUT_S)
        reap(process.pid)
    record.unlink(missing_ok=True)
