"""Block storage on the host: a device awaited, given a file system only when it is blank, and mounted for good."""

from __future__ import annotations

__all__ = ["mount_act", "mount_fact"]

import os
import time

from infra.transport.remote.processes import run
from infra.transport.remote.report import ActFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from infra.transport.remote.report import Reporter

_FSTAB = "/etc/fstab"
_OPTIONS = "defaults,nofail,discard,noatime"
_DECIDING = frozenset({"ro", "rw", "nosuid", "nodev", "noexec", "sync"})
_POLL_S = 0.2


def mount_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell what is mounted at a path, and with which of the options that decide what may be done there."""
    source, options = _mounted(probe["path"])
    return {"source": source, "options": sorted(set(options) & _DECIDING)}


def mount_act(act: dict[str, Any], report: Reporter) -> None:
    """Mount a volume at a path, now and at every boot.

    A volume that was attached a moment ago may need seconds to appear, as a device or, where the cloud mounts it
    itself, as a mount. A device with anything on it is never formatted.
    """
    path, device = act["path"], act["device"]
    deadline = time.monotonic() + float(act["timeout_s"])
    while not _source(path) and not os.path.exists(device):  # noqa: PTH110
        if time.monotonic() > deadline:
            raise ActFailure("VOLUME_MISSING", f"ls {device}", None, "no such device, and no mount", "lsblk -f")
        time.sleep(_POLL_S)
    if _source(path):
        return
    # Status 2: nothing that blkid knows. Any other failure must not be taken for a blank device.
    looked = run(["blkid", "-p", "-o", "value", "-s", "TYPE", device])
    if looked.exit_status == 2:  # noqa: PLR2004
        report.say(f"make a file system on {device}")
        _must(["mkfs.ext4", "-q", device], "MKFS_FAILED")
    elif looked.exit_status != 0:
        raise ActFailure("VOLUME_UNREADABLE", f"blkid -p {device}", looked.exit_status, looked.printed, "lsblk -f")
    _list(path, device)
    os.makedirs(path, exist_ok=True)  # noqa: PTH103
    _must(["mount", path], "MOUNT_FAILED")


def _must(argv: list[str], code: str) -> None:
    finished = run(argv, timeout_s=300.0)
    if finished.exit_status != 0:
        raise ActFailure(code, " ".join(argv), finished.exit_status, finished.printed, "lsblk -f; dmesg | tail")


def _list(path: str, device: str) -> None:
    """Put the mount into fstab, in place of another one at the same path."""
    kept = [line for line in _lines(_FSTAB) if line.split()[1:2] != [path]]
    temporary = f"{_FSTAB}.greenroom"
    with open(temporary, "w", encoding="utf-8") as stream:  # noqa: PTH123
        stream.write("".join(f"{line}\n" for line in [*kept, f"{device} {path} ext4 {_OPTIONS} 0 2"]))
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, _FSTAB)  # noqa: PTH105


def _source(path: str) -> str:
    return _mounted(path)[0]


def _mounted(path: str) -> tuple[str, list[str]]:
    rows = [line.split() for line in _lines("/proc/self/mounts")]
    return next(((row[0], row[3].split(",")) for row in reversed(rows) if row[1] == path), ("", []))


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            return stream.read().splitlines()
    except OSError:
        return []
