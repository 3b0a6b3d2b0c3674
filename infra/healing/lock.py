"""One healer a stack: a lock on the controller, and one on the host for healers of other controllers.

Both are flocks, which end with their holder however that ends, so nobody has to decide whether a holder is dead; what
is written beside them only tells who it is. The host's is held by the worker of our connection: it goes when the
connection does, and is taken again by the same question that takes it first.
"""

from __future__ import annotations

__all__ = ["OWN_HOLD_S", "HealerBusyError", "Holder", "hold_probe", "holder_of", "is_ours_still", "locked", "our_name"]

import contextlib
import fcntl
import json
import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import GreenroomError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

LOCK = "heal.lock"
HOST_LOCK = "healer"
OWN_HOLD_S = 60.0
"""How long a hold on the host that a cut connection of ours has left is waited for: sshd ends such a session after two
questions of 20 s without an answer."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class HealerBusyError(GreenroomError):
    """Another healer works on this stack."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    pid: int
    started: str
    """RFC 3339 in UTC."""
    boot: str
    """The boot id of the holder's machine: the same number is another process after a restart."""
    machine: str

    @property
    def text(self) -> str:
        """The holder as part of a sentence."""
        return f"process {self.pid} on {self.machine}, since {self.started}, boot {self.boot[:8]}"


def our_name() -> Holder:
    """Describe this process as a holder."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        boot = "unknown"
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Holder(os.getpid(), now, boot, socket.gethostname())


@contextlib.contextmanager
def locked(directory: Path, *, stack: str) -> Generator[Holder]:
    """Hold the stack's lock on this controller; HealerBusyError that names the holder where it is taken."""
    path = directory / LOCK
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy(stack, holder_of(_written(path)), f"ps -p PID; greenroom heal --stop -s {stack}") from None
        ours = our_name()
        file.seek(0)
        file.truncate()
        file.write(json.dumps(asdict(ours)))
        file.flush()
        yield ours


def hold_probe(owner: Holder) -> dict[str, Any]:
    """Return the question that takes the host's lock and tells who has it."""
    return {"kind": "hold", "name": HOST_LOCK, "owner": asdict(owner)}


def holder_of(written: Mapping[str, Any]) -> Holder | None:
    """Return the holder that somebody wrote down; None where that is none, as in the moment between lock and name."""
    try:
        return Holder(int(written["pid"]), str(written["started"]), str(written["boot"]), str(written["machine"]))
    except (KeyError, TypeError, ValueError):
        return None


def is_ours_still(hold: Mapping[str, Any], ours: Holder) -> bool:
    """Tell from the answer to `hold_probe` whether the lock is refused because this very process has it yet."""
    owner = holder_of(hold["owner"])
    same = owner is not None and (owner.pid, owner.boot, owner.machine) == (ours.pid, ours.boot, ours.machine)
    return same and not hold["held"]


def busy(stack: str, holder: Holder | None, hint: str) -> HealerBusyError:
    """Build the error that names the holder."""
    who = holder.text if holder else "a process that has not yet given its name"
    hint = hint.replace("PID", str(holder.pid) if holder else "PID")
    return HealerBusyError(f"{stack} is being healed already, by {who}", hint=hint)


def _written(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
