"""One laboratory: a project directory, a backend, an outside world, and the engine that is looked at.

Every run is followed by the checks that hold for all of them: the state file keeps its laws, no lock and no temporary
file stays, no canary stands in plain text, no provider process is left, a preview has changed nothing.
"""

from __future__ import annotations

import json
import os
import signal
import textwrap
import time
from contextlib import suppress
from pathlib import Path
from shutil import copy
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from enginelab import state as states
from enginelab.cipher import Cipher
from enginelab.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from enginelab.background import Background
    from enginelab.report import Report

HERE = Path(__file__).parent
PASSPHRASE = "a lab's passphrase"
SALT = Cipher.new(PASSPHRASE, b"lab salt", b"first nonce!").salt_text
CANARY = "canary-7f3a"
"""Programs put this word into every secret; it must never stand in a file of the backend."""
PRELUDE = "import pulumi\nfrom lab import Group, Source, Thing, options\n\n"
PATIENCE_S = 8.0


class Driver(Protocol):
    """An engine: runs one operation on a laboratory's stack."""

    name: str

    def prepare(self, bench: Bench) -> None:
        """Make a new laboratory ready."""

    def run(self, bench: Bench, operation: str) -> Report:
        """Run `preview`, `up`, `refresh` or `destroy` and tell what happened."""

    def spawn(self, bench: Bench, operation: str) -> Background:
        """Start `up` or `destroy` in a process of its own."""


class Bench:
    """A stack under test."""

    project = "lab"
    stack = "dev"

    def __init__(self, home: Path, driver: Driver, *, passphrase: str = PASSPHRASE, salt: str = SALT) -> None:
        self.home = home
        self.driver = driver
        self.root = home / "project"
        self.backend = home / "backend"
        self.backend.mkdir(parents=True)
        self.root.mkdir()
        self.world = World(home / "world")
        self.rules: list[dict[str, Any]] = []
        self.settings: dict[str, Any] = {}
        self.passphrase = passphrase
        self.cipher = Cipher(passphrase, salt)
        self.environment: dict[str, str] = {}
        copy(HERE / "project" / "lab.py", self.root / "lab.py")
        self.describe({"name": self.project, "runtime": "python"})
        self.configure({})
        driver.prepare(self)

    # The project

    def describe(self, project: Mapping[str, Any]) -> None:
        """Write Pulumi.yaml."""
        (self.root / "Pulumi.yaml").write_text(yaml.safe_dump(dict(project), sort_keys=False))

    def configure(self, config: Mapping[str, Any], **more: Any) -> None:
        """Write the stack's configuration; the salt is always the laboratory's."""
        content = {"encryptionsalt": self.cipher.salt_text, **more, "config": dict(config)}
        (self.root / f"Pulumi.{self.stack}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    def program(self, text: str) -> None:
        """Write the micro program."""
        (self.root / "__main__.py").write_text(PRELUDE + textwrap.dedent(text))

    def script(self, *rules: dict[str, Any], **settings: Any) -> None:
        """Say what the provider shall do; rules replace the earlier ones, settings stay."""
        self.settings |= settings
        (self.world.home / "script.json").write_text(json.dumps({"rules": rules, "settings": self.settings}))

    # The runs

    def up(self, program: str | None = None) -> Report:
        """Deploy, with a new program if one is given."""
        return self._run("up", program)

    def preview(self, program: str | None = None) -> Report:
        """Plan; nothing may change."""
        before = self.snapshot()
        report = self._run("preview", program)
        assert self.snapshot() == before, "A preview has changed the backend"
        return report

    def refresh(self) -> Report:
        """Read the world."""
        return self._run("refresh", None)

    def destroy(self) -> Report:
        """Remove everything."""
        return self._run("destroy", None)

    def good(self, program: str | None = None, *steps: str) -> Report:
        """Deploy, which has to succeed, with exactly these steps if any are given."""
        report = self.up(program)
        assert report.ok, report
        assert not steps or report.did(*steps), report
        return report

    def bad(self, program: str | None = None) -> Report:
        """Deploy, which has to fail with exit status 1."""
        report = self.up(program)
        assert not report.ok, report
        assert report.exit_code == 1, report
        return report

    def spawn(self, program: str | None = None, operation: str = "up") -> Background:
        """Start an operation in the background."""
        if program is not None:
            self.program(program)
        return self.driver.spawn(self, operation)

    def unlock(self) -> None:
        """Do what `pulumi cancel` does."""
        for lock in self.locks:
            lock.unlink()

    def _run(self, operation: str, program: str | None) -> Report:
        if program is not None:
            self.program(program)
        report = self.driver.run(self, operation)
        self.inspect()
        return report

    # What is there

    @property
    def state_path(self) -> Path:
        """The stack's file."""
        return self.backend / ".pulumi" / "stacks" / self.project / f"{self.stack}.json"

    @property
    def state(self) -> states.State:
        """The stack's state as of now."""
        return states.State(self.state_path, self.state_path.read_text(), self.cipher)

    @property
    def locks(self) -> list[Path]:
        """Lock files of the stack."""
        return sorted((self.backend / ".pulumi" / "locks").rglob("*.json"))

    def snapshot(self) -> dict[str, bytes]:
        """Read every file of the backend and of the stack's configuration."""
        files = [*self.backend.rglob("*"), *self.root.glob("Pulumi*.yaml")]
        return {str(path): path.read_bytes() for path in files if path.is_file()}

    def edit(self, change: Any) -> None:
        """Change the state file by hand: `change` gets the deployment and alters it."""
        document = json.loads(self.state_path.read_text())
        change(document["checkpoint"]["latest"])
        self.state_path.write_text(json.dumps(document, indent=4))

    def inspect(self, *, locked: bool = False) -> None:
        """Assert what holds after every run."""
        assert locked or not self.locks, f"Locks are left: {self.locks}"
        if self.state_path.exists():
            states.check(self.state)
            stacks = {path.name for path in self.state_path.parent.iterdir()}
            strange = {name for name in stacks if not name.endswith((".json", ".json.bak", ".attrs"))}
            assert not strange, f"Temporary files are left: {strange}"
        for path, content in self.snapshot().items():
            assert CANARY.encode() not in content, f"A secret stands in {path}"
        self.wait_for_silence()

    def close(self) -> None:
        """Kill what a failed or killed run has left of this laboratory's providers."""
        for pid in {entry["pid"] for entry in self.world.entries() if entry["call"] == "Start"}:
            with suppress(OSError):
                if str(self.world.home) in Path(f"/proc/{pid}/cmdline").read_text():
                    os.kill(pid, signal.SIGKILL)

    def wait_for_silence(self) -> None:
        """Assert that every provider process ends soon."""
        started = {entry["pid"] for entry in self.world.entries() if entry["call"] == "Start"}
        limit = time.monotonic() + PATIENCE_S
        while left := [pid for pid in started if _is_running(pid)]:
            assert time.monotonic() < limit, f"Provider processes are left: {left}"
            time.sleep(0.02)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
