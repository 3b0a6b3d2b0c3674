"""What exists outside the engine: the provider's things, its script, and the record of every call it got.

All of it is files in one directory, so that a test can read the calls, change a thing behind the engine's back, and
hold a call at a gate, while provider processes come and go.
"""

from __future__ import annotations

import json
import os
import time
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

GATE_LIMIT_S = 60.0


class World:
    """The out-of-band store of one laboratory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.things = home / "things"
        self.things.mkdir(parents=True, exist_ok=True)

    def create(self, name: str, content: dict[str, Any]) -> str:
        """Store a new thing and give its id: the name and a number that is never used again."""
        for number in count(1):
            identity = f"{name}-{number}"
            try:
                descriptor = os.open(self.things / f"{identity}.json", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                continue
            os.close(descriptor)
            self.put(identity, content)
            return identity
        raise AssertionError  # pragma: no cover - count() never ends

    def put(self, identity: str, content: dict[str, Any] | None) -> None:
        """Write a thing; `None` is the mark of one that is gone."""
        temporary = self.things / f".{identity}.{os.getpid()}.{time.monotonic_ns()}"
        temporary.write_text(json.dumps(content))
        temporary.replace(self.things / f"{identity}.json")

    def get(self, identity: str) -> dict[str, Any] | None:
        """Read a thing, or `None` when it is not there (any more)."""
        path = self.things / f"{identity}.json"
        if not path.exists():
            return None
        content: dict[str, Any] | None = json.loads(path.read_text())
        return content

    def drift(self, identity: str, **changes: object) -> None:
        """Change a thing by hand."""
        self.put(identity, {**(self.get(identity) or {}), **changes})

    def alive(self) -> list[str]:
        """Give the ids of the things that exist, sorted."""
        return sorted(path.stem for path in self.things.glob("[!.]*.json") if path.read_text() not in {"", "null"})

    def script(self) -> dict[str, Any]:
        """Read the script anew: it may change between two calls."""
        path = self.home / "script.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def record(self, **entry: object) -> None:
        """Append one line to the record, whole or not at all."""
        line = json.dumps({"at": time.time(), "pid": os.getpid(), **entry}) + "\n"
        descriptor = os.open(self.home / "calls.jsonl", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def entries(self, *, since: int = 0) -> list[dict[str, Any]]:
        """Read the record from its n-th line on."""
        path = self.home / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines[since:]]

    def wait_for(self, call: str) -> None:
        """Wait until a call such as `Create d` has begun, at most a minute."""
        limit = time.monotonic() + GATE_LIMIT_S
        while time.monotonic() < limit:
            begun = {f"{entry['call']} {entry['name']}" for entry in self.entries() if not entry.get("preview")}
            if call in begun:
                return
            time.sleep(0.02)

    def open_gate(self, name: str) -> None:
        """Let calls that wait at a gate go on."""
        (self.home / f"{name}.gate").touch()

    def wait_at(self, name: str) -> None:
        """Wait until a gate is opened, at most a minute."""
        gate = self.home / f"{name}.gate"
        limit = time.monotonic() + GATE_LIMIT_S
        while not gate.exists() and time.monotonic() < limit:
            time.sleep(0.02)
