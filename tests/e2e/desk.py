"""A clean copy of the project in a place of its own, and what a person at that desk would type."""

from __future__ import annotations

__all__ = ["Desk", "Done", "argv_of_everything"]

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)

    @property
    def talk(self) -> str:
        return f"exit {self.status} after {self.seconds:.1f} s\n{self.stdout[-6000:]}\n{self.stderr[-12000:]}"


class Desk:
    """A checkout of what is committed or about to be, without anything that is ignored by git."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / ".greenroom"
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        for name in listed.stdout.decode().split("\0"):
            source = ROOT / name
            if name and source.is_file():
                target = directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)

    def run(self, *argv: str, check: int | None = None, timeout_s: float = 900, **environment: str) -> Done:
        """Run a command at this desk; `check` is the exit status it must end with."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "GREENROOM_"))}
        started = time.monotonic()
        ended = subprocess.run(
            argv,
            cwd=self.directory,
            env={**kept, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        done = Done(ended.returncode, ended.stdout, ended.stderr, time.monotonic() - started)
        if check is not None:
            assert done.status == check, f"{' '.join(argv)}: {done.talk}"
        return done

    def greenroom(self, *argv: str, check: int | None = 0, **environment: str) -> Done:
        return self.run(".venv/bin/greenroom", *argv, check=check, **environment)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that must stand in a file exactly once."""
        path = self.directory / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")


def argv_of_everything() -> set[str]:
    """Every command line that this machine shows right now, the droplets' included: they share its kernel."""
    lines: set[str] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                lines.add((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
            except OSError:
                continue  # it ended in between
    return lines
