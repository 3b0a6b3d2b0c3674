"""Which engine runs the program: the official one where its CLI is on PATH, the embedded one otherwise."""

from __future__ import annotations

__all__ = ["choose_driver", "engine_wanted"]

import os
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.cli.driver import Driver
    from localcloud.engine import Event


def engine_wanted(environment: Mapping[str, str]) -> str:
    """Name the engine that runs here: `GREENROOM_ENGINE`'s, else the official one where its CLI is on PATH."""
    return environment.get("GREENROOM_ENGINE") or ("official" if shutil.which("pulumi") else "embedded")


def choose_driver(
    root: Path,
    stack: str,
    *,
    backend: Path,
    passphrase: str,
    environment: Mapping[str, str],
    on_event: Callable[[Event], None],
) -> Driver:
    """Take the official engine where its CLI is on PATH, else the embedded one.

    `GREENROOM_ENGINE=embedded` or `official` decides instead, for tests and for people who compare the two.
    """
    arguments: dict[str, Any] = {
        "backend": backend,
        "passphrase": passphrase,
        "environment": environment,
        "on_event": on_event,
    }
    if engine_wanted(os.environ) == "official":
        from infra.cli.official import OfficialDriver  # noqa: PLC0415 - the other one is not loaded

        return OfficialDriver(root, stack, **arguments)
    from infra.cli.embedded import EmbeddedDriver  # noqa: PLC0415 - as above

    return EmbeddedDriver(root, stack, **arguments)
