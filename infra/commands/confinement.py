"""What no container may ask for, and what every container is given: refusals and a floor, decided from its posture.

A compose file that opens the machine to a container is refused before anything is built or started, each finding by
its check (the number of the CIS Docker Benchmark 1.6) unless the settings waive that very check with a reason and a
date. What a compose file only leaves unsaid is added by the override file: containers get no new privileges, lose the
capabilities that no service needs, and have a limit of processes and memory.
"""

from __future__ import annotations

__all__ = [
    "FLOOR_MEMORY",
    "FLOOR_PIDS",
    "NEEDLESS",
    "Finding",
    "findings",
    "floats",
    "floor",
    "is_of_the_machine",
    "is_own_filter",
    "is_socket",
    "refusals",
]

import posixpath
import re
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
    *(
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/proc",
        "/root",
        "/run",
        "/sbin",
        "/sys",
    ),
    *("/usr", "/var/lib/cloud", "/var/lib/containerd", "/var/lib/docker", "/var/lib/dpkg", "/var/lib/greenroom"),
    *("/var/run", "/var/spool/cron"),
)
"""Whoever writes or reads below these has the machine, or what it keeps secret."""
_HOME = re.compile(r"/home(/[^/]+(/\.(ssh|bash[^/]*|profile|docker|config)(/.*)?)?)?\Z")
"""A whole home, and what its owner's logins read and run; directories of the workload stand below it."""
_SOCKETS = ("docker.sock", "containerd.sock")
_OWN_DIRECTORIES = "directories of the workload alone"
_LOOPBACK = ("127.", "::1", "[::1]")
_NAMESPACES = {
    "network": ("docker-5.10", "network_mode: host", "a network of the project"),
    "pid": ("docker-5.16", "pid: host", "processes of its own"),
    "ipc": ("docker-5.17", "ipc: host", "shared memory of its own"),
    "uts": ("docker-5.21", "uts: host", "a host name of its own"),
    "userns": ("docker-5.31", "userns_mode: host", "the engine's user namespace"),
    "cgroup": ("docker-5.25", "cgroup: host", "control groups of its own"),
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
    for rule in posture["device_cgroup_rules"]:
        yield "docker-5.18", f"device_cgroup_rules: {rule}", "no device of the machine"
    for path in posture["mounts"]:
        yield from _mount(path)
    for each in posture["file_systems"]:
        yield "docker-5.6", f"a volume of the file system {each}", _OWN_DIRECTORIES
    for name in posture["volumes_from"]:
        yield "docker-5.6", f"the volumes of container {name}", "volumes of the project"
    for place in posture["published"]:
        if not place.startswith(_LOOPBACK):
            yield "docker-5.14", f"published on {place}", "127.0.0.1, where the proxy reaches it"
    if not service["health"]:
        yield "docker-5.27", "no healthcheck", "one, which the release waits for"
    if floats(service["image"]):
        yield "greenroom-1", f"the image {service['image']}", "a tag that stays, or a digest"


def _rights(posture: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if posture["privileged"]:
        yield "docker-5.5", "privileged: true", "no privileged container"
    for name in posture["namespaces"]:
        yield _NAMESPACES[name]
    for name, container in posture["joined"].items():
        check, _, expected = _NAMESPACES[name]
        yield check, f"the {name} namespace of container {container}", expected
    if posture["cgroup_parent"]:
        yield "docker-5.25", f"cgroup_parent: {posture['cgroup_parent']}", "control groups of its own"
    for name in posture["cap_add"]:
        if name in _PARTICULAR:
            yield "docker-5.4", f"cap_add: {name}", "no capability that reaches the machine"
    for option in posture["security_opt"]:
        yield from _option(option)


def _option(option: str) -> Iterator[tuple[str, str, str]]:
    name, _, value = option.partition(":")
    if is_own_filter(option):
        yield "docker-5.22", f"seccomp:{value}", "the engine's filter of system calls"
    elif name == "apparmor" and value != "docker-default":
        yield "docker-5.2", f"apparmor:{value}", "the engine's AppArmor profile"
    elif name == "no-new-privileges" and value == "false":
        yield "docker-5.26", "no-new-privileges:false", "no new privileges"
    elif name == "systempaths" and value == "unconfined":
        yield "greenroom-11", "systempaths:unconfined", "the kernel's files masked"


def _mount(path: str) -> Iterator[tuple[str, str, str]]:
    if is_socket(path):
        yield "docker-5.32", f"the engine's socket {_normal(path)}", "no socket of the engine"
    elif is_of_the_machine(path):
        yield "docker-5.6", f"the machine's {_normal(path)}", _OWN_DIRECTORIES


def is_own_filter(option: str) -> bool:
    """Whether a security option puts another filter of system calls in the place of the engine's, or none."""
    name, _, value = option.replace("=", ":", 1).partition(":")
    return name == "seccomp" and value != "builtin"


def is_socket(path: str) -> bool:
    """Whether a path is the engine's socket."""
    return posixpath.basename(_normal(path)) in _SOCKETS


def is_of_the_machine(path: str) -> bool:
    """Whether a path is, lies in, or holds what only the machine itself may see."""
    normal = _normal(path)
    below = normal.rstrip("/") + "/"
    held = any(below.startswith(f"{each}/") or each.startswith(below) for each in _SENSITIVE)
    return held or _HOME.match(normal) is not None


def _normal(path: str) -> str:
    return "/" + posixpath.normpath(path or "/").lstrip("/")  # POSIX keeps two leading slashes


def floats(image: str) -> bool:
    """Whether a reference means another image tomorrow: `latest`, or no tag, and no digest."""
    if "@" in image:
        return False
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return not colon or tag == "latest"
