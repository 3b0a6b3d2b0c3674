"""What no container may ask for, and what every container is given: refusals and a floor, decided from its posture.

A compose file that opens the machine to a container is refused before anything is built or started, each finding by
its check (the number of the CIS Docker Benchmark 1.6) unless the settings waive that very check with a reason and a
date. What a compose file only leaves unsaid is added by the override file: containers get no new privileges, lose the
capabilities that no service needs, and have a limit of processes and memory.
"""

from __future__ import annotations

__all__ = ["FLOOR_MEMORY", "FLOOR_PIDS", "NEEDLESS", "Finding", "findings", "floor", "refusals"]

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

NEEDLESS = ("AUDIT_WRITE", "MKNOD", "NET_RAW", "SETFCAP", "SETPCAP")
"""Of Docker's default capabilities those that neither a server nor an entry point that changes its user needs."""
FLOOR_PIDS = 512
FLOOR_MEMORY = "1G"
_PARTICULAR = frozenset(
    (
        *(
            "ALL",
            "AUDIT_CONTROL",
            "BPF",
            "DAC_READ_SEARCH",
            "LINUX_IMMUTABLE",
            "MAC_ADMIN",
            "MAC_OVERRIDE",
            "NET_ADMIN",
        ),
        *("PERFMON", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "SYS_TIME"),
    )
)
"""Capabilities by which a container reaches the machine."""
_SENSITIVE = (
    *("/boot", "/dev", "/etc", "/lib", "/proc", "/root", "/run", "/sys", "/usr", "/var/lib/containerd"),
    *("/var/lib/docker", "/var/lib/greenroom", "/var/run"),
)
_SOCKETS = ("docker.sock", "containerd.sock")
_LOOPBACK = ("127.", "::1", "[::1]")
_NAMESPACES = {
    "network": ("docker-5.10", "network_mode: host", "a network of the project"),
    "pid": ("docker-5.16", "pid: host", "processes of its own"),
    "ipc": ("docker-5.17", "ipc: host", "shared memory of its own"),
    "uts": ("docker-5.21", "uts: host", "a host name of its own"),
    "userns": ("docker-5.31", "userns_mode: host", "the engine's user namespace"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that a service must not ask for."""

    check: str
    service: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"service {self.service}: {self.found}; expected {self.expected} [{self.check}]"


def findings(services: Mapping[str, Any]) -> list[Finding]:
    """Return what the services of a model ask for and must not, service by service."""
    return [
        Finding(check, name, found, expected)
        for name, service in sorted(services.items())
        for check, found, expected in _asked(service)
    ]


def refusals(services: Mapping[str, Any], waivers: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each finding that no standing waiver covers; one whose waiver has expired says so."""
    given = list(waivers)
    lines: list[str] = []
    for each in findings(services):
        covering = [w for w in given if w["check"] == each.check and w["service"] in ("", each.service)]
        if any(not waiver["expired"] for waiver in covering):
            continue
        ends = ", ".join(sorted(str(waiver["until"]) for waiver in covering))
        lines.append(f"{each}; its waiver expired on {ends}" if ends else str(each))
    return lines


def floor(posture: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the override file adds to a service; what the compose file says itself stays as it says."""
    added: dict[str, Any] = {}
    if not any(option.startswith("no-new-privileges") for option in posture["security_opt"]):
        added["security_opt"] = ["no-new-privileges:true"]
    kept = {*posture["cap_add"], *posture["cap_drop"]}
    if not posture["privileged"] and "ALL" not in kept:
        added["cap_drop"] = [name for name in NEEDLESS if name not in kept]
    limits: dict[str, Any] = {}
    if posture["pids"] <= 0:
        limits["pids"] = FLOOR_PIDS
    if posture["memory"] <= 0:
        limits["memory"] = FLOOR_MEMORY
    if limits:
        added["deploy"] = {"resources": {"limits": limits}}
    return added


def _asked(service: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    posture = service["posture"]
    yield from _rights(posture)
    for device in posture["devices"]:
        yield "docker-5.18", f"the device {device}", "no device of the machine"
    for path in posture["mounts"]:
        yield from _mount(path)
    for place in posture["published"]:
        if not place.startswith(_LOOPBACK):
            yield "docker-5.14", f"published on {place}", "127.0.0.1, where the proxy reaches it"
    if not service["health"]:
        yield "docker-5.27", "no healthcheck", "one, which the release waits for"
    if _floats(service["image"]):
        yield "greenroom-1", f"the image {service['image']}", "a tag that stays, or a digest"


def _rights(posture: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if posture["privileged"]:
        yield "docker-5.5", "privileged: true", "no privileged container"
    for name in posture["namespaces"]:
        yield _NAMESPACES[name]
    for name in posture["cap_add"]:
        if name in _PARTICULAR:
            yield "docker-5.4", f"cap_add: {name}", "no capability that reaches the machine"
    for option in posture["security_opt"]:
        yield from _option(option)


def _option(option: str) -> Iterator[tuple[str, str, str]]:
    name, _, value = option.partition(":")
    if name == "seccomp" and value == "unconfined":
        yield "docker-5.22", "seccomp:unconfined", "the engine's filter of system calls"
    elif name == "apparmor" and value == "unconfined":
        yield "docker-5.2", "apparmor:unconfined", "the engine's AppArmor profile"
    elif name == "no-new-privileges" and value == "false":
        yield "docker-5.26", "no-new-privileges:false", "no new privileges"


def _mount(source: str) -> Iterator[tuple[str, str, str]]:
    path = "/" + posixpath.normpath(source or "/").lstrip("/")  # POSIX keeps two leading slashes
    if posixpath.basename(path) in _SOCKETS:
        yield "docker-5.32", f"the engine's socket {path}", "no socket of the engine"
    elif path == "/" or any(path == each or path.startswith(f"{each}/") for each in _SENSITIVE):
        yield "docker-5.6", f"the machine's {path}", "directories of the workload alone"


def _floats(image: str) -> bool:
    """Whether a reference means another image tomorrow: `latest`, or no tag, and no digest."""
    if "@" in image:
        return False
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return not colon or tag == "latest"
