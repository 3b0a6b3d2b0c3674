"""The host's own facts: accounts, packages, units, and whether its first boot is over."""

from __future__ import annotations

__all__ = ["first_boot_fact", "host_keys_fact", "packages_fact", "units_fact", "user_fact"]

import grp
import os
import pwd
from typing import Any

from infra.transport.remote.processes import run

_KEYS = "/etc/ssh"
_UNIT_PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,StateChangeTimestamp"


def user_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell whether an account exists, where it lives, its groups and the keys that open it."""
    try:
        entry = pwd.getpwnam(probe["name"])
    except KeyError:
        return {"exists": False, "uid": -1, "home": "", "shell": "", "groups": [], "keys": []}
    groups = sorted(grp.getgrgid(gid).gr_name for gid in os.getgrouplist(entry.pw_name, entry.pw_gid))
    keys: list[str] = []
    path = f"{entry.pw_dir}/.ssh/authorized_keys"
    if os.path.isfile(path):  # noqa: PTH113
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            keys = [line.strip() for line in stream if line.strip() and not line.startswith("#")]
    return {
        "exists": True,
        "uid": entry.pw_uid,
        "home": entry.pw_dir,
        "shell": entry.pw_shell,
        "groups": groups,
        "keys": keys,
    }


def packages_fact(probe: dict[str, Any]) -> dict[str, str]:
    """Return the version of each named package that is fully installed."""
    fields = "${Package}\t${Version}\t${db:Status-Status}\n"
    finished = run(["dpkg-query", "-W", "-f", fields, *probe["names"]])
    rows = (line.split("\t") for line in finished.stdout.splitlines())
    return {name: version for name, version, status in rows if status == "installed"}


def units_fact(probe: dict[str, Any]) -> dict[str, dict[str, str | None]]:
    """Return load, active and enabled state of each named unit, and when it last changed its active state."""
    names: list[str] = probe["names"]
    finished = run(["systemctl", "show", f"--property={_UNIT_PROPERTIES}", *names])
    facts: dict[str, dict[str, str | None]] = {}
    for name, block in zip(names, finished.stdout.strip().split("\n\n"), strict=False):
        values: dict[str, str] = {}
        for line in block.splitlines():
            key, _, value = line.partition("=")
            values[key] = value
        facts[name] = {
            "load": values.get("LoadState", ""),
            "active": values.get("ActiveState", ""),
            "enabled": values.get("UnitFileState", ""),
            "since": _instant(values.get("StateChangeTimestamp", "")),
        }
    return facts


def _instant(text: str) -> str | None:
    """Return systemd's timestamp (`Tue 2026-11-24 15:30:06 UTC`) as RFC 3339; None for one of another zone."""
    words = text.split()
    is_utc = len(words) == 4 and words[3] == "UTC"  # noqa: PLR2004 (weekday, date, time, zone)
    return f"{words[1]}T{words[2]}Z" if is_utc else None


def first_boot_fact(probe: dict[str, Any]) -> dict[str, str]:
    """Tell how far cloud-init is: running, done, disabled, or absent where it is not installed."""
    del probe
    # What `cloud-init status` looks at too, without the second that it takes to start.
    if not os.path.exists("/usr/bin/cloud-init"):  # noqa: PTH110
        return {"status": "absent"}
    if os.path.exists("/run/cloud-init/disabled") or os.path.exists("/etc/cloud/cloud-init.disabled"):  # noqa: PTH110
        return {"status": "disabled"}
    return {"status": "done" if os.path.exists("/run/cloud-init/result.json") else "running"}  # noqa: PTH110


def host_keys_fact(probe: dict[str, Any]) -> dict[str, str]:
    """Return the public host keys on disk, by file name.

    Under a private key's name stands what sshd would present of it: empty where it can't be read, as when others may.
    """
    del probe
    keys: dict[str, str] = {}
    for name in os.listdir(_KEYS):  # noqa: PTH208 (pathlib and glob cost start-up time)
        path = f"{_KEYS}/{name}"
        if "key" not in name.partition("host")[2]:
            continue
        is_public = path.endswith(".pub")
        text = " ".join(_lines(path)) if is_public else run(["ssh-keygen", "-y", "-P", "", "-f", path]).stdout
        keys[name] = " ".join(text.split()[:2])
    return keys


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            return stream.read().splitlines()
    except OSError:
        return []
