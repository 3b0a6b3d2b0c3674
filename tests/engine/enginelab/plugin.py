"""How the scripted provider is started, whichever engine starts it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enginelab.bench import Bench

KEPT = ("HOME", "LANG", "PATH", "TMPDIR", "USER")
"""What a run takes over from the environment of the tests."""


def provider_argv(bench: Bench) -> list[str]:
    """Give the command line without the engine's address."""
    return [sys.executable, str(Path(__file__).with_name("provider.py")), str(bench.world.home)]
