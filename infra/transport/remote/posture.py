"""What a service asks of the machine beyond its own container, as compose resolves it.

Nothing of its environment is in it, so nothing in it is secret: it may leave the host, and a plan can judge it.
"""

from __future__ import annotations

__all__ = ["FLOOR", "origin", "posture"]

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_KEYS = {"network": "network_mode", "userns": "userns_mode"}
"""Compose's own key for a namespace, where it is not the namespace's name."""
FLOOR = "confined/1"
"""Part of every service's digest: raise it when the floor in `infra.commands.confinement` changes."""
_ELSEWHERE = frozenset(("ceph", "cifs", "nfs", "nfs4", "tmpfs"))
"""File systems that hold nothing of the machine's."""


def posture(body: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """Return what one service of a resolved compose model asks for; keys are compose's own where there is one."""
    seen = list(_seen(body, model, frozenset()))
    limits = ((body.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    return {
        "privileged": bool(body.get("privileged")),
        "namespaces": _namespaces(body, model.get("networks") or {}),
        "joined": _joined(body),
        "cgroup_parent": str(body.get("cgroup_parent") or ""),
        "cap_add": _words(body.get("cap_add")),
        "cap_drop": _words(body.get("cap_drop")),
        "security_opt": [str(each).replace("=", ":", 1) for each in body.get("security_opt") or []],
        "devices": [_device(each) for each in body.get("devices") or []],
        "device_cgroup_rules": [str(each) for each in body.get("device_cgroup_rules") or []],
        "mounts": [os.path.realpath(f"/{name}") for kind, name in seen if kind == "path"],
        "file_systems": [name for kind, name in seen if kind == "file system"],
        "volumes_from": [name for kind, name in seen if kind == "container"],
        "published": [_published(each) for each in body.get("ports") or [] if each.get("published")],
        "pids": int(limits.get("pids") or body.get("pids_limit") or 0),
        "memory": int(limits.get("memory") or body.get("mem_limit") or 0),
    }


def _words(value: Any) -> list[str]:
    return sorted(str(each).upper().removeprefix("CAP_") for each in value or [])


def _namespaces(body: dict[str, Any], networks: dict[str, Any]) -> list[str]:
    """Return which of the machine's namespaces the service shares: network, pid, ipc, uts, userns, cgroup."""
    names = ("network", "pid", "ipc", "uts", "userns", "cgroup")
    shared = [name for name in names if _mode(body, name) == "host"]
    joined = [networks.get(name) or {} for name in body.get("networks") or {}]
    if "network" not in shared and any(each.get("name") == "host" for each in joined):
        shared.insert(0, "network")
    return shared


def _mode(body: dict[str, Any], namespace: str) -> str:
    return str(body.get(_KEYS.get(namespace, namespace)) or "")


def _joined(body: dict[str, Any]) -> dict[str, str]:
    """Return which container, that is no service's, the service shares a namespace with: its name by the namespace."""
    asked = {name: _mode(body, name) for name in ("network", "pid", "ipc")}
    return {name: mode.partition(":")[2] for name, mode in asked.items() if mode.startswith("container:")}


def origin(options: dict[str, Any]) -> tuple[str, str] | None:
    """Return what a volume of the engine's own driver shows of the machine: `path` or `file system`, and which one.

    The engine hands these options to mount(2): a word for binding makes any device a path, and what is neither bound
    nor of a kind that lies elsewhere (a disk, `overlay`, `proc`) is the machine's own.
    """
    device, kind = str(options.get("device") or ""), str(options.get("type") or "")
    if {"bind", "rbind"} & set(str(options.get("o") or "").split(",")):
        return "path", device
    if kind in _ELSEWHERE or not (device or kind):
        return None
    return "file system", f"{kind} of {device}"


def _seen(body: dict[str, Any], model: dict[str, Any], borrowers: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what the service and its build see of the machine, and the containers whose volumes it takes.

    `borrowers` are the services that have been followed here, so that a circle of them ends.
    """
    yield from (("path", each) for each in _files(body, model))
    volumes = model.get("volumes") or {}
    for each in body.get("volumes") or []:
        if each.get("type") == "bind":
            yield "path", str(each["source"])
        elif each.get("type") == "volume":
            volume = volumes.get(each.get("source") or "") or {}
            behind = origin(volume.get("driver_opts") or {}) if volume.get("driver") in (None, "", "local") else None
            yield from [behind] if behind else []
    for each in body.get("volumes_from") or []:
        kind, _, rest = str(each).partition(":")
        if kind == "container":
            yield "container", rest.partition(":")[0]
        elif kind not in borrowers:
            yield from _seen((model.get("services") or {}).get(kind) or {}, model, borrowers | {kind})


def _files(body: dict[str, Any], model: dict[str, Any]) -> Iterator[str]:
    """Yield the paths that compose mounts as configs and secrets, the engine's socket, and what a build is given."""
    build = body.get("build") or {}
    for kind, entries in (
        ("configs", body.get("configs")),
        ("secrets", body.get("secrets")),
        ("secrets", build.get("secrets")),
    ):
        declared = model.get(kind) or {}
        for each in entries or []:
            name = each.get("source") if isinstance(each, dict) else each
            path = (declared.get(name) or {}).get("file")
            yield from [str(path)] if path else []
    if body.get("use_api_socket"):
        yield "/var/run/docker.sock"
    contexts = [build.get("context"), *(build.get("additional_contexts") or {}).values()]
    yield from (str(each) for each in contexts if str(each).startswith("/"))


def _device(entry: Any) -> str:
    return str(entry.get("source", "")) if isinstance(entry, dict) else str(entry).split(":", maxsplit=1)[0]


def _published(entry: dict[str, Any]) -> str:
    return f"{entry.get('host_ip') or '0.0.0.0'}:{entry['published']}"  # noqa: S104 (what compose makes of none)
