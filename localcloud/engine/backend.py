"""The DIY file backend: where a stack's state, its history, backups and locks lie under `<backend>/.pulumi/`."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.engine.errors import LockedError, StateError, UnsupportedError
from localcloud.engine.files import json_document, write_atomically

ORGANIZATION = "organization"
LAYOUT_VERSION = 1


def now_rfc3339() -> str:
    """Return the time in the state's notation, UTC with nanoseconds."""
    nanoseconds = time.time_ns()
    second = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}Z"


class StackStore:
    """The files of one stack."""

    def __init__(self, backend: Path, project: str, stack: str) -> None:
        self.root = Path(backend) / ".pulumi"
        self.project = project
        self.stack = stack
        self.path = self.root / "stacks" / project / f"{stack}.json"
        self._history = self.root / "history" / project / stack
        self._backups = self.root / "backups" / project / stack
        self._locks = self.root / "locks" / ORGANIZATION / project / stack

    @property
    def full_name(self) -> str:
        """The stack's name as the state has it."""
        return f"{ORGANIZATION}/{self.project}/{self.stack}"

    def exists(self) -> bool:
        """Say whether the stack has a state."""
        return self.path.exists()

    def read(self) -> dict[str, Any] | None:
        """Return the checkpoint document, None when there is none. Raises StateError or UnsupportedError."""
        self._check_layout()
        try:
            document = json.loads(self.path.read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise StateError(
                f"The state {self.path} is not JSON: {error}", hint=f"look at {self.path}.bak, the state before it"
            ) from error
        if not isinstance(document, dict):
            raise StateError(f"The state {self.path} is not a checkpoint")
        return document

    def _check_layout(self) -> None:
        for suffix in (".gz", ".zst"):
            packed = self.path.with_name(self.path.name + suffix)
            if packed.exists():
                raise UnsupportedError(f"The compressed state {packed} is not supported by this engine")
        meta = self.root / "meta.yaml"
        if meta.exists():
            if f"version: {LAYOUT_VERSION}" not in meta.read_text().splitlines():
                raise UnsupportedError(f"{meta} is not of layout version {LAYOUT_VERSION}; upgrade it with the CLI")
        elif any((self.root / "stacks").glob("*.json")):
            raise UnsupportedError(f"{self.root} has the legacy layout; upgrade it with `pulumi state upgrade`")

    def prepare(self) -> None:
        """Make the backend's marker file, so that the CLI knows the layout."""
        meta = self.root / "meta.yaml"
        if not meta.exists():
            write_atomically(meta, f"version: {LAYOUT_VERSION}\n")

    def write(self, text: str) -> None:
        """Replace the state, durably, by its document as text."""
        write_atomically(self.path, text)

    def keep_previous(self) -> None:
        """Keep the present state as `.bak`, before a run overwrites it."""
        if self.path.exists():
            backup = self.path.with_name(self.path.name + ".bak")
            write_atomically(backup, self.path.read_text(), durable=False)

    def record(self, history: dict[str, Any], text: str) -> None:
        """Write the history entry of a finished run, and the state that it came to, in the history and as a backup."""
        stamp = time.time_ns()
        name = self.stack
        entry = json_document(history)
        write_atomically(self._history / f"{name}-{stamp}.history.json", entry, durable=False)
        write_atomically(self._history / f"{name}-{stamp}.checkpoint.json", text, durable=False)
        write_atomically(self._backups / f"{name}.{stamp}.json", text, durable=False)

    def remove(self) -> None:
        """Remove the state and its history; backups stay."""
        for path in (self.path, self.path.with_name(self.path.name + ".bak"), *self._history.glob("*")):
            path.unlink(missing_ok=True)
        for folder in (self._history, self._locks, self.path.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def lock(self) -> Lock:
        """Take the stack's lock. Raises LockedError naming the holder."""
        self.prepare()
        return Lock(self._locks, self.full_name)

    def break_locks(self) -> list[str]:
        """Remove every lock, as `pulumi cancel` does; return who held them."""
        holders = [_holder(path) for path in self._foreign_locks()]
        for path in self._foreign_locks():
            path.unlink(missing_ok=True)
        return holders

    def _foreign_locks(self) -> list[Path]:
        return sorted(self._locks.glob("*.json"))


class Lock:
    """A lock file; the directory is read before and after it is written, so that of two that race none wins twice."""

    def __init__(self, directory: Path, stack: str) -> None:
        """Take the lock. Raises LockedError."""
        self._path = directory / f"{uuid.uuid4()}.json"
        self._stack = stack
        directory.mkdir(parents=True, exist_ok=True)
        self._refuse_others()
        content = {
            "pid": os.getpid(),
            "username": getpass.getuser(),
            "hostname": socket.gethostname(),
            "timestamp": now_rfc3339(),
        }
        write_atomically(self._path, json.dumps(content), durable=False)
        try:
            self._refuse_others()
        except LockedError:
            self.release()
            raise

    def _refuse_others(self) -> None:
        others = [path for path in sorted(self._path.parent.glob("*.json")) if path != self._path]
        if others:
            raise LockedError(
                f"The stack {self._stack} is locked by {'; '.join(_holder(path) for path in others)}",
                hint="wait for it to finish; if it is gone, remove the lock with `pulumi cancel`",
            )

    def release(self) -> None:
        """Give the lock back; harmless when it is gone."""
        self._path.unlink(missing_ok=True)
        for folder in (self._path.parent, *list(self._path.parent.parents)[:3]):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _holder(path: Path) -> str:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return path.name
    pid, user, host = (content.get(key, "?") for key in ("pid", "username", "hostname"))
    gone = "" if host != socket.gethostname() or _is_running(pid) else " (no such process now)"
    return f"{user}@{host} (pid {pid}){gone} at {content.get('timestamp', '?')}"


def _is_running(pid: Any) -> bool:
    return isinstance(pid, int) and Path(f"/proc/{pid}").exists()
