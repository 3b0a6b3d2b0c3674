"""The machine below the containers: disks, memory, units with their journal, and what the kernel has killed."""

from __future__ import annotations

__all__ = ["disk_section", "kernel_section", "memory_section", "units_section"]

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from infra.transport.remote.engine import Engine, EngineRefusal
from infra.transport.remote.processes import run
from infra.transport.remote.prunable import dangling_images, unused_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE_S = 2.5
UNITS = ("docker.service", "containerd.service", "caddy.service", "ssh.service", "nftables.service")
_PLACES = ("/", "/var/lib/docker", "/var", "/tmp", "/run", "/home")  # noqa: S108 (looked at, not written to)
_PSEUDO = frozenset({"overlay", "squashfs", "proc", "sysfs", "cgroup", "cgroup2", "devtmpfs", "devpts", "mqueue"})
_FULL_PERCENT = 90
_PROPERTIES = "Id,LoadState,ActiveState,SubState,Result,UnitFileState,ExecMainStatus,NRestarts,StateChangeTimestamp"
_JOURNAL_LINES = "12"
_DAEMON = "/etc/docker/daemon.json"
_OOM = re.compile(r"oom-kill:.{0,400}?task_memcg=(\S{1,300}),task=([^,]{1,64}),pid=(\d{1,9})")
_CONTAINER = re.compile(r"([0-9a-f]{64})")
_HEX = 64


def disk_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell how full each file system is, in bytes and inodes; of a full one where the space is, and what is ours."""
    places = dict.fromkeys([*_PLACES, probe["directory"], *_mounts()])
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for path in places:
        try:
            device, space = os.stat(path).st_dev, os.statvfs(path)
        except OSError:
            continue
        if space.f_blocks and not space.f_flag & os.ST_RDONLY and (device, space.f_fsid) not in found:
            found[(device, space.f_fsid)] = _space(path, space)
    systems = list(found.values())
    full = [each for each in systems if each["percent"] >= _FULL_PERCENT or each["inodes_percent"] >= _FULL_PERCENT]
    fact: dict[str, Any] = {"systems": systems, "largest": [], "prunable": {}}
    if full or probe["suspects_disk"]:
        with ThreadPoolExecutor(max_workers=2) as pool:
            largest = pool.submit(_largest, [each["path"] for each in full])
            fact["prunable"] = pool.submit(_prunable).result()
            fact["largest"] = largest.result()
    return fact


def memory_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Return total, available and swap in bytes, and the load."""
    del probe
    with open("/proc/meminfo", encoding="ascii", errors="replace") as stream:
        rows = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in stream if line.split()[1:2]}
    names = {"total": "MemTotal", "available": "MemAvailable", "swap_total": "SwapTotal", "swap_free": "SwapFree"}
    return {**{name: rows.get(key, 0) for name, key in names.items()}, "load": os.getloadavg()[0]}


def units_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell the state of each unit that the deployment stands on, and of those that failed their last lines."""
    del probe
    shown = run(["systemctl", "show", f"--property={_PROPERTIES}", *UNITS], timeout_s=PATIENCE_S)
    units = dict(_unit(block) for block in shown.stdout.strip().split("\n\n") if block)
    for name, unit in units.items():
        if unit["load"] == "loaded" and unit["active"] != "active":
            argv = ["journalctl", "-u", name, "-n", _JOURNAL_LINES, "--no-pager", "-o", "cat"]
            unit["journal"] = run(argv, timeout_s=PATIENCE_S).stdout.splitlines()
    listed = run(["systemctl", "list-units", "--failed", "--plain", "--no-legend"], timeout_s=PATIENCE_S).stdout
    failed = [line.split()[0] for line in listed.splitlines() if line.split()]
    return {"units": units, "failed": failed, "daemon_json": _daemon_json(), "booted": _booted()}


def kernel_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Name the processes that the kernel has killed for want of memory, with the container each ran in.

    A container's machine shares its kernel with others, so only what happened in a container is told, by its id.
    """
    del probe
    printed = run(["dmesg", "--time-format", "iso"], timeout_s=PATIENCE_S)
    kills: list[dict[str, Any]] = []
    for line in printed.stdout.splitlines()[-5000:]:
        found = _OOM.search(line) if "oom-kill:" in line else None
        inside = _CONTAINER.findall(found.group(1)) if found else []
        if found and inside:
            at = line.split(" ", 1)[0]
            killed = {"container": inside[-1], "task": found.group(2), "pid": int(found.group(3))}
            kills.append({**killed, "at": at, "age_s": _age(at)})
    return {"oom": kills[-20:], "error": printed.stderr.strip()[:300] if printed.exit_status else ""}


def _age(stamp: str) -> int:
    """Return how long ago dmesg's time (2026-11-24T18:41:33,898420+00:00) was, in seconds; 0 for none."""
    try:
        return max(0, round(time.time() - datetime.fromisoformat(stamp.replace(",", ".")).timestamp()))
    except ValueError:
        return 0


def _space(path: str, space: os.statvfs_result) -> dict[str, Any]:
    used, total = space.f_blocks - space.f_bfree, space.f_blocks - space.f_bfree + space.f_bavail
    inodes = 100 * (space.f_files - space.f_ffree) / space.f_files if space.f_files else 0.0
    return {
        "path": path,
        "size_bytes": space.f_blocks * space.f_frsize,
        "free_bytes": space.f_bavail * space.f_frsize,
        "percent": round(100 * used / total, 1) if total else 100.0,
        "inodes_percent": round(inodes, 1),
        "device": _source(path),
    }


def _source(path: str) -> str:
    rows = [row for row in _mount_rows() if row[1] == path]
    return rows[-1][0] if rows else ""


def _mounts() -> list[str]:
    """Return where real file systems are mounted, but not Docker's own layers."""
    inner = ("/var/lib/docker/", "/proc", "/sys", "/dev", "/run/credentials", "/run/user")
    return [row[1] for row in _mount_rows() if row[2] not in _PSEUDO and not row[1].startswith(inner)]


def _mount_rows() -> list[list[str]]:
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as stream:
        return [line.split() for line in stream if len(line.split()) > 2][:400]  # noqa: PLR2004 (source, path, type)


def _largest(paths: list[str]) -> list[dict[str, Any]]:
    """Return the largest directories and files of full file systems, as far as a second or two of looking tells."""
    found: list[dict[str, Any]] = []
    for path in paths:
        done = run(["timeout", "1.5", "du", "-xab", "--max-depth=3", path], timeout_s=PATIENCE_S)
        rows = [line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line]
        sizes = sorted(((int(size), name) for size, name in rows if size.isdigit() and name != path), reverse=True)
        found += [{"path": name, "size_bytes": size} for size, name in sizes[:8]]
    return found


def _prunable() -> dict[str, Any]:
    """Return what a prune of our dangling images and of unused build cache would give back, in bytes."""
    engine = Engine(timeout_s=PATIENCE_S)
    try:
        images, cache = dangling_images(engine), unused_cache(engine)
        used = {each["ImageID"] for each in engine.get("/containers/json", {"all": "true"})}
    except EngineRefusal as refusal:
        return {"error": str(refusal), "images_bytes": 0, "cache_bytes": 0}
    return {
        "error": "",
        "images_bytes": sum(each["Size"] for each in images if each["Id"] not in used),
        "cache_bytes": sum(each["Size"] for each in cache if not each.get("Shared")),
    }


def _unit(block: str) -> tuple[str, dict[str, Any]]:
    values = {line.partition("=")[0]: line.partition("=")[2] for line in block.splitlines()}
    keys = {"load": "LoadState", "active": "ActiveState", "sub": "SubState", "result": "Result"}
    more = {"enabled": "UnitFileState", "exit_status": "ExecMainStatus", "restarts": "NRestarts"}
    return values.get("Id", ""), {
        **{name: values.get(key, "") for name, key in {**keys, **more}.items()},
        "since": values.get("StateChangeTimestamp", ""),
        "journal": [],
    }


def _daemon_json() -> str:
    """Return what is wrong with Docker's configuration file; empty where it reads well or is not there."""
    try:
        with open(_DAEMON, encoding="utf-8") as stream:
            content = stream.read()
        return "" if isinstance(json.loads(content), dict) else f"{_DAEMON}: not a JSON object"
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return f"{_DAEMON}: {error}"


def _booted() -> float:
    with open("/proc/uptime", encoding="ascii") as stream:
        return float(stream.read().split()[0])
