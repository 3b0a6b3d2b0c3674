"""What a service asks of the machine beyond its own container, as compose resolves it.

Nothing of its environment is in it, so nothing in it is secret: it may leave the host, and a plan can judge it.
"""

from __future__ import annotations

__all__ = ["FLOOR", "posture"]

from typing import Any

FLOOR = "confined/1"
"""Part of every service's digest: raise it when the floor in `infra.commands.confinement` changes."""


def posture(body: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """Return what one service of a resolved compose model asks for; keys are compose's own where there is one."""
    limits = ((body.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    return {
        "privileged": bool(body.get("privileged")),
        "namespaces": _namespaces(body, model.get("networks") or {}),
        "cap_add": _words(body.get("cap_add")),
        "cap_drop": _words(body.get("cap_drop")),
        "security_opt": [str(each).replace("=", ":", 1) for each in body.get("security_opt") or []],
        "devices": [_device(each) for each in body.get("devices") or []],
        "mounts": _mounts(body, model.get("volumes") or {}),
        "published": [_published(each) for each in body.get("ports") or [] if each.get("published")],
        "pids": int(limits.get("pids") or body.get("pids_limit") or 0),
        "memory": int(limits.get("memory") or body.get("mem_limit") or 0),
    }


def _words(value: Any) -> list[str]:
    return sorted(str(each).upper().removeprefix("CAP_") for each in value or [])


def _namespaces(body: dict[str, Any], networks: dict[str, Any]) -> list[str]:
    """Return which of the machine's namespaces the service shares: network, pid, ipc, uts, userns."""
    keys = {"network": "network_mode", "pid": "pid", "ipc": "ipc", "uts": "uts", "userns": "userns_mode"}
    shared = [name for name, key in keys.items() if body.get(key) == "host"]
    joined = [networks.get(name) or {} for name in body.get("networks") or {}]
    if "network" not in shared and any(each.get("name") == "host" for each in joined):
        shared.insert(0, "network")
    return shared


def _mounts(body: dict[str, Any], volumes: dict[str, Any]) -> list[str]:
    """Return the directories and files of the machine that the service sees, those behind named volumes too."""
    found: list[str] = []
    for each in body.get("volumes") or []:
        if each.get("type") == "bind":
            found.append(str(each["source"]))
        elif each.get("type") == "volume":
            options = (volumes.get(each.get("source") or "") or {}).get("driver_opts") or {}
            if "bind" in str(options.get("o", "")).split(","):
                found.append(str(options.get("device", "")))
    return found


def _device(entry: Any) -> str:
    return str(entry.get("source", "")) if isinstance(entry, dict) else str(entry).split(":", maxsplit=1)[0]


def _published(entry: dict[str, Any]) -> str:
    return f"{entry.get('host_ip') or '0.0.0.0'}:{entry['published']}"  # noqa: S104 (what compose makes of none)
