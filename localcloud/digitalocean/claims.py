"""Which loopback addresses a cloud may hand out, when several live on one machine.

A claim is a symbolic link to the cloud's home, named by its number, in a folder that all users share. It lasts as
long as the home holds a state: droplets keep their addresses while the server is stopped.
"""

from __future__ import annotations

__all__ = ["MOST_CLOUDS", "claim", "release"]

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

MOST_CLOUDS = 100
SHARED = Path(tempfile.gettempdir()) / "greenroom-addresses"
EVERYONE = 0o1777


def claim(home: Path, shared: Path = SHARED) -> int:
    """Return the number that a home holds, taking the lowest free one when it holds none yet.

    Raises RuntimeError when every number is held by another cloud.
    """
    while True:
        # The last cloud to go takes the folder with it, perhaps right under this one: then it is made again.
        with suppress(FileNotFoundError):
            return claim_in(shared, home)


def claim_in(shared: Path, home: Path) -> int:
    """Claim in the folder as it is; FileNotFoundError when it is taken away meanwhile."""
    with suppress(FileExistsError):
        shared.mkdir()
        shared.chmod(EVERYONE)
    handle = os.open(shared, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        holders = {number: holder(shared / str(number)) for number in range(MOST_CLOUDS)}
        for number, held_by in holders.items():
            if held_by == home:
                return number
        return take(shared, home, holders)
    finally:
        os.close(handle)


def holder(link: Path) -> Path | None:
    """Return the home that holds a number, or None when there is none or it has no state any more."""
    try:
        home = link.readlink()
    except OSError:
        return None
    return home if (home / "cloud" / "state.sqlite").exists() else None


def take(shared: Path, home: Path, holders: dict[int, Path | None]) -> int:
    """Take the lowest number that nobody holds."""
    for number, held_by in holders.items():
        if held_by is None:
            link = shared / str(number)
            with suppress(PermissionError):  # a dead claim of another user stays; the next number does as well
                link.unlink(missing_ok=True)
                link.symlink_to(home)
                return number
    raise RuntimeError(f"All {MOST_CLOUDS} address blocks are taken; see {shared}")


def release(home: Path, shared: Path = SHARED) -> None:
    """Give up what a home holds, and the folder when nobody holds anything."""
    for number in range(MOST_CLOUDS):
        link = shared / str(number)
        with suppress(OSError):
            if link.readlink() == home:
                link.unlink()
    with suppress(OSError):
        shared.rmdir()
