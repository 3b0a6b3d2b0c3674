"""Mounts a directory of this machine in a running container: ``python graft.py PID SOURCE TARGET [SOURCE TARGET ...]``.

A detached copy of the mount is opened here and moved into the container's mount namespace (Linux 5.2 and later), so
nothing is left behind in this one. It imports the standard library alone: where the caller isn't root, the same text
runs in a helper container. At the end it says so to a droplet whose boot waits for its volumes.
"""

from __future__ import annotations

import ctypes
import os
import sys

OPEN_TREE, MOVE_MOUNT = 428, 429
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH = 1, os.O_CLOEXEC, -100, 4
NAMESPACE_OF_MOUNTS = 0x00020000
READY = "/run/greenroom-volumes"


def call(name: str, result: int) -> int:
    """Return a system call's result, or raise OSError with what failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return result


def main(arguments: list[str]) -> None:
    """Open all sources here, enter the container's mounts, and put each in its place unless one is there."""
    libc = ctypes.CDLL(None, use_errno=True)
    process, pairs = arguments[0], list(zip(arguments[1::2], arguments[2::2], strict=True))
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC
    opened = [
        (call("open_tree", libc.syscall(OPEN_TREE, AT_FDCWD, source.encode(), flags)), target)
        for source, target in pairs
    ]
    namespace = os.open(f"/proc/{process}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    call("setns", libc.setns(namespace, NAMESPACE_OF_MOUNTS))
    for tree, target in opened:
        os.makedirs(target, exist_ok=True)  # noqa: PTH103 - nothing can be imported in here: it is another system's disk
        if not os.path.ismount(target):
            moved = libc.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, target.encode(), MOVE_MOUNT_F_EMPTY_PATH)
            call("move_mount", moved)
    os.close(os.open(READY, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))


if __name__ == "__main__":
    main(sys.argv[1:])
