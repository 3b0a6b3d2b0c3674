"""What is looked at every few seconds: containers, units, room on the disks, the proxy and its certificate. Cheap.

One question, tens of milliseconds, and nothing is started but systemctl. What happened between two looks is in the
engine's own record of events: a container that died and runs again has no trace of it in its state.
"""

from __future__ import annotations

__all__ = ["vitals_fact"]

import json
import os
import time

from infra.transport.remote.engine import Engine, EngineRefusal
from infra.transport.remote.proxy_state import answers, trusted
from infra.transport.remote.remedies import UNITS
from infra.transport.remote.stack import describe
from infra.transport.remote.units import units_fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_LABELS = "com.docker.compose."
_DISKS = ("/", "/var/lib/docker", "/mnt")
_LONGEST_S = 600.0
_EVENTS = 40


def vitals_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Look at a project's host. `span_s` is how far back events are wanted: the time since the look before."""
    engine, refused = Engine(), ""
    services: dict[str, Any] = {}
    events: list[dict[str, Any]] = []
    try:
        services = _services(engine, probe["project"])
        events = _events(engine, probe["project"], min(float(probe.get("span_s", 0.0)), _LONGEST_S))
    except EngineRefusal as refusal:
        refused = str(refusal)
    served = trusted(probe["domain"]) if probe.get("domain") else None
    return {
        "engine": refused,
        "services": services,
        "events": events,
        "units": units_fact({"names": list(UNITS)}),
        "proxy": answers(),
        "certificate": {"verdict": served.verdict, "text": served.text} if served else {},
        "disks": dict(_disks(_places())),
    }


def _services(engine: Engine, project: str) -> dict[str, Any]:
    """Return each service's container, with whether somebody stopped its first process in its tracks."""
    found: dict[str, Any] = {}
    for container in sorted(engine.containers(project), key=lambda each: each["Created"]):
        state = container["State"]
        service = (container["Config"].get("Labels") or {}).get(f"{_LABELS}service", container["Name"])
        found[service] = {
            **describe(container),
            "oom": bool(state["OOMKilled"]),
            "frozen": state["Status"] == "running" and _letter(state["Pid"]) in ("T", "t"),
        }
    return found


def _letter(pid: int) -> str:
    """Return the state of a process as the kernel has it: R, S, D, T (stopped), Z."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            return stream.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _events(engine: Engine, project: str, span_s: float) -> list[dict[str, Any]]:
    """Return which containers died, or met their limit of memory, in the last seconds; one-off ones are left out."""
    if span_s <= 0:
        return []
    now = time.time()
    only = {"type": ["container"], "event": ["die", "oom"], "label": [f"{_LABELS}project={project}"]}
    span = {"since": f"{now - span_s:.9f}", "until": f"{now:.9f}"}
    told = engine.call("GET", "/events", {**span, "filters": only}, timeout_s=10.0).decode().splitlines()
    found: list[dict[str, Any]] = []
    for line in told[-_EVENTS:]:
        event = json.loads(line)
        about = event["Actor"]["Attributes"]
        if about.get(f"{_LABELS}oneoff", "False") == "False":
            service = about.get(f"{_LABELS}service", about.get("name", ""))
            found.append({"what": event["Action"], "service": service, "exit_code": int(about.get("exitCode") or 0)})
    return found


def _places() -> list[str]:
    volumes = sorted(os.listdir("/mnt")) if os.path.isdir("/mnt") else []  # noqa: PTH112, PTH208
    return [*_DISKS, *(f"/mnt/{name}" for name in volumes[:20])]


def _disks(places: Iterable[str]) -> list[tuple[str, dict[str, float]]]:
    """Return how full each file system is, in percent of room and of inodes, by the first place that is on it."""
    seen: set[int] = set()
    found: list[tuple[str, dict[str, float]]] = []
    for place in places:
        try:
            device, disk = os.stat(place).st_dev, os.statvfs(place)  # noqa: PTH116
        except OSError:
            continue
        if device in seen or not disk.f_blocks:
            continue
        seen.add(device)
        used = disk.f_blocks - disk.f_bfree
        inodes = 100.0 * (disk.f_files - disk.f_ffree) / disk.f_files if disk.f_files else 0.0
        room = 100.0 * used / (used + disk.f_bavail) if used + disk.f_bavail else 100.0
        found.append((place, {"percent": round(room, 1), "inodes_percent": round(inodes, 1)}))
    return found
