"""Where the control plane meets the real machines: which label they carry, and which image slugs boot."""

from __future__ import annotations

__all__ = ["bootable", "fill_registry", "home_label", "machines_of"]

import hashlib
from typing import TYPE_CHECKING

from localcloud.hosting.registry import Registry
from localcloud.machines import Machines
from localcloud.machines.images import DROPLET
from localcloud.machines.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SLUGS = {"debian-13-x64": DROPLET}


def home_label(home: Path) -> str:
    """Return the mark that everything of one home carries on the machine."""
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]


def bootable(slug: str) -> str | None:
    """Return the Docker image that a slug stands for, or None when it can't be booted here."""
    return SLUGS.get(slug)


def machines_of(home: Path, *, git_port: int = 0) -> Machines:
    """Return the machines of a home."""
    return Machines(home, home_label(home), git_port=git_port)


def fill_registry(home: Path, say: Callable[[str], None]) -> None:
    """Start the home's image registry and store what droplets pull, so that no droplet waits for it."""
    Registry(Names(home_label(home))).ensure(say)
