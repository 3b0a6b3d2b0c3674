"""A script for the host: what its Docker engine, its images and its containers' processes are allowed to do.

What a container was told stands in the engine's answers; what its processes really may do stands in /proc, and both
are asked. Of an environment only names are told.
"""

from __future__ import annotations

__all__ = ["main"]

import contextlib
import glob
import http.client
import json
import os
import re
import socket
import sys
from typing import Any

SOCKET = "/run/docker.sock"
_ID = re.compile(r"[0-9a-f]{64}")
_HOST_CONFIG = (
    *("AutoRemove", "Binds", "CapAdd", "CapDrop", "CgroupParent", "CgroupnsMode", "CpuShares", "DeviceCgroupRules"),
    *("Devices", "IpcMode", "LogConfig", "MaskedPaths", "Memory", "Mounts", "NanoCpus", "NetworkMode", "PidMode"),
    *("PidsLimit", "PortBindings", "Privileged", "ReadonlyRootfs", "RestartPolicy", "SecurityOpt", "Tmpfs", "Ulimits"),
    *("UsernsMode", "UTSMode"),
)
_STATUS = ("Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(SOCKET)


def main() -> None:
    """Print everything as one JSON document."""
    connection = _Connection("docker")
    ids = [each["Id"] for each in _get(connection, "/containers/json?all=true")]
    inspected = [_get(connection, f"/containers/{each}/json") for each in ids]
    running = _processes(set(ids))
    images = {each["Image"] for each in inspected}
    document = {
        "engine": _engine(_get(connection, "/info")),
        "daemon": _daemon(),
        "containers": {each["Name"].lstrip("/"): _container(each, running[each["Id"]]) for each in inspected},
        "volumes": {
            each["Name"]: {"driver": each["Driver"], "options": each.get("Options") or {}}
            for each in _get(connection, "/volumes").get("Volumes") or []
        },
        "images": {each: _image(_get(connection, f"/images/{each}/json")) for each in sorted(images)},
        "image_count": len(_get(connection, "/images/json")),
    }
    json.dump(document, sys.stdout)


def _get(connection: _Connection, path: str) -> Any:
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != http.client.OK:
        raise SystemExit(f"the engine answered {answer.status} to {path}: {body[:300]!r}")
    return json.loads(body)


def _engine(info: dict[str, Any]) -> dict[str, Any]:
    registry = info.get("RegistryConfig") or {}
    return {
        "version": info["ServerVersion"],
        "storage": info["Driver"],
        "logging": info["LoggingDriver"],
        "cgroup_driver": info["CgroupDriver"],
        "cgroup_version": info.get("CgroupVersion", "1"),
        "security": info.get("SecurityOptions") or [],
        "live_restore": bool(info.get("LiveRestoreEnabled")),
        "swarm": (info.get("Swarm") or {}).get("LocalNodeState", "inactive"),
        "experimental": bool(info.get("ExperimentalBuild")),
        "insecure": sorted(
            [name for name, each in (registry.get("IndexConfigs") or {}).items() if not each.get("Secure", True)]
            + [each for each in registry.get("InsecureRegistryCIDRs") or [] if not each.startswith(("127.", "::1"))]
        ),
    }


def _daemon() -> dict[str, Any]:
    """Return how the engine was configured: its arguments, and its file."""
    arguments: list[str] = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path, "rb") as stream:
            words = stream.read().decode(errors="replace").split("\0")
            if os.path.basename(words[0]) == "dockerd":
                arguments = [word for word in words[1:] if word]
    file: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError), open("/etc/docker/daemon.json", encoding="utf-8") as stream:
        file = json.load(stream)
    return {"arguments": arguments, "file": file}


def _processes(ids: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the processes of each container, by what the kernel says of them."""
    found: dict[str, list[dict[str, Any]]] = {each: [] for each in ids}
    for directory in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError):  # it ended in between
            with open(f"{directory}/cgroup", encoding="utf-8") as stream:
                owner = next((each for each in _ID.findall(stream.read()) if each in ids), None)
            if owner is None:
                continue
            with open(f"{directory}/status", encoding="utf-8", errors="replace") as stream:
                status = dict(line.rstrip("\n").split(":\t", maxsplit=1) for line in stream if ":\t" in line)
            fields = {name: status.get(name, "").strip() for name in _STATUS}
            found[owner].append({"name": status.get("Name", ""), **fields})
    return found


def _container(inspected: dict[str, Any], processes: list[dict[str, Any]]) -> dict[str, Any]:
    config, host = inspected["Config"], inspected["HostConfig"]
    labels = config.get("Labels") or {}
    return {
        "image": config["Image"],
        "image_id": inspected["Image"],
        "user": config.get("User") or "",
        "running": bool(inspected["State"]["Running"]),
        "healthcheck": bool((config.get("Healthcheck") or {}).get("Test")),
        "health": (inspected["State"].get("Health") or {}).get("Status", "none"),
        "project": labels.get("com.docker.compose.project", ""),
        "service": labels.get("com.docker.compose.service", ""),
        "apparmor": inspected.get("AppArmorProfile") or "",
        "networks": sorted(inspected["NetworkSettings"].get("Networks") or {}),
        "mounts": [_mount(mount) for mount in inspected.get("Mounts") or []],
        "host": {name: host.get(name) for name in _HOST_CONFIG},
        "processes": processes,
    }


def _mount(mount: dict[str, Any]) -> dict[str, Any]:
    """Return one mount of a container; a link of the host by where it leads."""
    told = {name: mount.get(name) for name in ("Type", "Name", "Source", "Destination", "RW", "Propagation")}
    return {**told, "Source": os.path.realpath(mount["Source"])} if mount["Type"] == "bind" else told


def _image(inspected: dict[str, Any]) -> dict[str, Any]:
    config = inspected.get("Config") or {}
    return {
        "tags": inspected.get("RepoTags") or [],
        "digests": inspected.get("RepoDigests") or [],
        "user": config.get("User") or "",
        "variables": sorted(each.split("=", maxsplit=1)[0] for each in config.get("Env") or []),
    }


if __name__ == "__main__":
    main()
