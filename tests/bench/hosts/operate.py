"""One operation of the embedded engine on the bench's stack, as a process of its own: `operate.py VERB DIRECTORY`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from infra.cli import leave
from infra.cli.embedded import PRELOAD_TO_READ
from localcloud.engine import Engine
from localcloud.engine.events import Diagnostic, Event

HERE = Path(__file__).parent


def told(event: Event) -> None:
    """Print what went wrong, and nothing else."""
    if isinstance(event, Diagnostic) and event.severity == "error":
        sys.stderr.write(f"{event.message}\n")


def main(verb: str, directory: Path) -> int:
    """Run `up`, `refresh` or `up-refresh`; exit status 1 when it failed, 7 when a refresh found something."""
    engine = Engine(
        directory,
        "fleet",
        backend=directory,
        passphrase="of the bench",
        providers={},
        environment={**os.environ, "PYTHONPATH": str(HERE.parents[2])},
        on_event=told,
        preload=("infra.host",),
        preload_to_read=PRELOAD_TO_READ,
    )
    result = engine.refresh() if verb == "refresh" else engine.up(refresh=verb == "up-refresh")
    differing = [step.name for step in result.steps if step.diff and step.op != "create"]
    if not result.succeeded:
        return 1
    if verb != "up" and differing:
        sys.stderr.write(f"not quiet: {differing}\n")
        return 7
    return 0


if __name__ == "__main__":
    leave(main(sys.argv[1], Path(sys.argv[2])))
