"""Locks that live as long as the worker: taken by a question, let go when the connection ends."""

from __future__ import annotations

__all__ = ["hold_fact"]

import fcntl
import json
import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

DIRECTORY = "/run/greenroom"
_held: dict[str, IO[str]] = {}
_guard = threading.Lock()


def hold_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Take a named lock, or find it ours already; `held` says whether, `owner` who has it."""
    name, owner = str(probe["name"]), probe["owner"]
    path = f"{DIRECTORY}/{name}.hold"
    with _guard:
        if name not in _held:
            os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)  # noqa: PTH103 (pathlib costs start-up time)
            file = open(path, "a+", encoding="utf-8")  # noqa: PTH123, SIM115 (held open: that is the lock)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                written = file.read()
                file.close()
                return {"held": False, "owner": _owner(written)}
            _held[name] = file
        file = _held[name]
        file.seek(0)
        file.truncate()
        json.dump(owner, file)
        file.flush()
        return {"held": True, "owner": owner}


def _owner(written: str) -> dict[str, Any]:
    try:
        found = json.loads(written)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
