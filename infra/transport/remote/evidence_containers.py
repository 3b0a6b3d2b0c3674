"""Containers, the resolved compose model, and the owners of ports: from engine and kernel, not from logs."""

from __future__ import annotations

__all__ = ["compose_section", "containers_section", "listeners_section"]

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

from infra.transport.remote.engine import Engine, EngineRefusal
from infra.transport.remote.evidence_logs import check_answer, log_facts, seconds_of
from infra.transport.remote.processes import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE_S = 2.5
_PROJECT, _SERVICE = "com.docker.compose.project", "com.docker.compose.service"
_OWNER = re.compile(r'\(\("([^"]{1,64})",pid=(\d{1,9})')


def containers_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell of the project's containers in full, by service, and of all others whose they are and what they publish."""
    engine = Engine(timeout_s=PATIENCE_S)
    try:
        listed: list[dict[str, Any]] = engine.get("/containers/json", {"all": "true"})
    except EngineRefusal as refusal:
        return {"engine": str(refusal), "services": {}, "others": []}
    ours = [each for each in listed if _labels(each).get(_PROJECT) == probe["project"] and not _is_one_off(each)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        described = list(pool.map(_service, [engine] * len(ours), [str(each["Id"]) for each in ours]))
    services: dict[str, Any] = {}
    for found in sorted(filter(None, described), key=lambda each: str(each["created"])):
        services[found["service"]] = found
    others = [_other(each) for each in listed if _labels(each).get(_PROJECT) != probe["project"]]
    return {"engine": "", "services": services, "others": others}


def compose_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Have compose resolve the project; of its answer, which holds secrets, only names and places are told."""
    directory, path = probe["directory"], f"{probe['directory']}/{probe['compose_file']}"
    argv = ["docker", "compose", "--project-directory", directory, "--project-name", probe["project"]]
    argv += ["--env-file", probe["env_file"], "--file", path, "config", "--format", "json"]
    done = run(argv, env=probe["variables"], timeout_s=PATIENCE_S)
    if done.exit_status != 0:
        return {"file": path, "exit_status": done.exit_status, "error": done.stderr.strip(), "services": {}}
    model = json.loads(done.stdout)
    return {"file": path, "exit_status": 0, "error": done.stderr.strip(), "services": _shown(model["services"])}


def listeners_section(probe: dict[str, Any]) -> list[dict[str, Any]]:
    """Name the owner of every port that TCP listens on: the process, and behind Docker's proxy the container."""
    del probe
    published = _published(Engine(timeout_s=PATIENCE_S))
    found: list[dict[str, Any]] = []
    for line in run(["ss", "-Hltnp"], timeout_s=PATIENCE_S).stdout.splitlines():
        words = line.split()
        address, _, port = words[3].rpartition(":") if len(words) > 3 else ("", "", "")  # noqa: PLR2004 (the columns)
        if not port.isdigit():
            continue
        owner = _OWNER.search(line)
        process, pid = (owner.group(1), int(owner.group(2))) if owner else ("", 0)
        behind = published.get(int(port), {}) if process in ("docker-proxy", "") else {}
        found.append({"address": address, "port": int(port), "process": process, "pid": pid, **_inside(pid), **behind})
    return found


def _service(engine: Engine, container: str) -> dict[str, Any]:
    try:
        inspected = engine.inspect(container)
    except EngineRefusal as refusal:
        if refusal.status == 0:
            raise
        return {}
    return _whole(engine, inspected) if inspected else {}


def _whole(engine: Engine, inspected: dict[str, Any]) -> dict[str, Any]:
    described = _described(inspected)
    return {**described, **log_facts(engine, inspected), "check_answer": check_answer(described)}


def _described(inspected: dict[str, Any]) -> dict[str, Any]:
    state, config, host = inspected["State"], inspected["Config"], inspected["HostConfig"]
    labels, health = config.get("Labels") or {}, state.get("Health") or {}
    ports = (inspected.get("NetworkSettings") or {}).get("Ports") or {}
    return {
        "id": inspected["Id"],
        "container": inspected["Name"].lstrip("/"),
        "service": labels.get(_SERVICE, inspected["Name"]),
        "created": inspected["Created"],
        "state": state["Status"],
        "health": health.get("Status", "none"),
        "exit_code": state["ExitCode"],
        "oom_killed": bool(state.get("OOMKilled")),
        "oom_kills": _oom_kills(int(state.get("Pid") or 0)),
        "frozen": _frozen(int(state.get("Pid") or 0)),
        "error": state.get("Error") or "",
        "restarts": inspected["RestartCount"],
        "started_at": state["StartedAt"],
        "finished_at": state["FinishedAt"],
        "age_s": round(time.time() - seconds_of(state["StartedAt"])),
        "ended_age_s": round(time.time() - seconds_of(state["FinishedAt"])),
        "image": config["Image"],
        "user": config.get("User") or "",
        "memory_bytes": host.get("Memory") or 0,
        "restart": (host.get("RestartPolicy") or {}).get("Name") or "no",
        "check": (config.get("Healthcheck") or {}).get("Test") or [],
        "health_log": [_probed(each) for each in (health.get("Log") or [])[-3:]],
        "published": [
            {"address": way["HostIp"], "port": int(way["HostPort"]), "inside": inside.split("/")[0]}
            for inside, ways in ports.items()
            for way in ways or []
        ],
        "mounts": [
            {"type": each.get("Type"), "source": each.get("Source", ""), "target": each.get("Destination", "")}
            for each in inspected.get("Mounts") or []
        ],
    }


def _probed(entry: dict[str, Any]) -> dict[str, Any]:
    return {"at": entry.get("End", ""), "exit": entry.get("ExitCode"), "output": str(entry.get("Output", ""))}


def _oom_kills(pid: int) -> int:
    """Return how many of a running container's processes the kernel has killed for want of memory."""
    for folder in _memory_folders(pid):
        for name in ("memory.events", "memory.oom_control"):
            try:
                with open(f"{folder}/{name}", encoding="utf-8") as stream:
                    values = dict(line.split(None, 1) for line in stream if " " in line)
            except (OSError, ValueError):
                continue
            return int(values.get("oom_kill", "0"))
    return 0


def _frozen(pid: int) -> int:
    """Return how many of a running container's processes a signal has stopped in their tracks."""
    for folder in _memory_folders(pid):
        try:
            with open(f"{folder}/cgroup.procs", encoding="ascii") as stream:
                return sum(_process_state(each.strip()) == "T" for each in stream)
        except OSError:
            continue
    return 0


def _process_state(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _memory_folders(pid: int) -> list[str]:
    if pid <= 0:
        return []
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as stream:
            rows = [line.strip().split(":", 2) for line in stream]
    except OSError:
        return []
    one = [f"/sys/fs/cgroup{path}" for _, controllers, path in rows if controllers == ""]
    return [f"/sys/fs/cgroup/memory{path}" for _, controllers, path in rows if "memory" in controllers.split(",")] + one


def _shown(services: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "image": body.get("image", ""),
            "build": bool(body.get("build")),
            "depends": sorted(body.get("depends_on") or {}),
            "published": [f"{each.get('host_ip', '')}:{each['published']}" for each in body.get("ports") or []],
            "binds": [each.get("source", "") for each in body.get("volumes") or [] if each.get("type") == "bind"],
        }
        for name, body in services.items()
    }


def _published(engine: Engine) -> dict[int, dict[str, Any]]:
    try:
        listed = engine.get("/containers/json")
    except EngineRefusal:
        return {}
    owners: dict[int, dict[str, Any]] = {}
    for each in listed:
        labels = _labels(each)
        for way in each.get("Ports") or []:
            if way.get("PublicPort"):
                owner = {"project": labels.get(_PROJECT, ""), "service": labels.get(_SERVICE, "")}
                owners[int(way["PublicPort"])] = {"container": each["Names"][0].lstrip("/"), **owner}
    return owners


def _inside(pid: int) -> dict[str, str]:
    """Tell the command of a process by its program alone: arguments may be secrets."""
    try:
        return {"program": os.readlink(f"/proc/{pid}/exe"), "unit": _unit(pid)} if pid else {}
    except OSError:
        return {}


def _unit(pid: int) -> str:
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as stream:
        found = re.search(r"([A-Za-z0-9@_.-]{1,120}\.(?:service|scope))", stream.read())
    return found.group(1) if found else ""


def _other(listed: dict[str, Any]) -> dict[str, Any]:
    labels = _labels(listed)
    return {
        "id": listed["Id"],
        "container": listed["Names"][0].lstrip("/"),
        "project": labels.get(_PROJECT, ""),
        "service": labels.get(_SERVICE, ""),
        "image": listed.get("Image", ""),
        "state": listed.get("State", ""),
        "published": sorted({int(way["PublicPort"]) for way in listed.get("Ports") or [] if way.get("PublicPort")}),
    }


def _labels(listed: dict[str, Any]) -> dict[str, str]:
    return listed.get("Labels") or {}


def _is_one_off(listed: dict[str, Any]) -> bool:
    return _labels(listed).get("com.docker.compose.oneoff") == "True"
