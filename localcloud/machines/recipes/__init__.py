"""The images of the local cloud: what each is built of, and the digest that says when it must be built anew.

A recipe is a folder here (a Dockerfile and its context). Its digest covers the folder, what it is built on, and what it
takes over from this machine, so that a changed certificate authority rebuilds just what carries it.
"""

from __future__ import annotations

__all__ = ["BASES", "DROPLET", "IMAGES", "TRUST", "Base", "Image", "digest", "files"]

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.machines.surroundings import Surroundings

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Base:
    """A distribution's minimal root file system."""

    reference: str
    suite: str
    official: str
    """The image that is used instead where Docker Hub answers."""


@dataclass(frozen=True)
class Image:
    """An image built from a recipe folder on top of others."""

    reference: str
    folder: str
    on: Mapping[str, str]
    """Build argument -> reference of the image it stands for."""
    official: str = ""
    """The name by which droplets pull it; the real one is used instead where Docker Hub answers."""


BASES = (
    Base("greenroom/base:bookworm", "bookworm", "debian:bookworm-slim"),
    Base("greenroom/base:trixie", "trixie", "debian:trixie-slim"),
)
TRUST = "trust"
_BOOKWORM = "greenroom/debian:bookworm-slim"
_TRIXIE = "greenroom/debian:trixie-slim"
_PYTHON = "greenroom/python:3.11-slim"
_ON_NODE = {"BASE": _BOOKWORM, "PYTHON": _PYTHON}
DROPLET = "greenroom/droplet:debian-13"
IMAGES = (
    Image(_TRIXIE, TRUST, {"BASE": "greenroom/base:trixie"}, "debian:trixie-slim"),
    Image(DROPLET, "droplet", {"BASE": _TRIXIE}),
    Image(_BOOKWORM, TRUST, {"BASE": "greenroom/base:bookworm"}, "debian:bookworm-slim"),
    Image("greenroom/registry:2", "registry", {"BASE": _BOOKWORM}),
    Image(_PYTHON, "python", {"BASE": _BOOKWORM}, "python:3.11-slim"),
    Image("greenroom/node:20-alpine", "node", _ON_NODE, "node:20-alpine"),
    Image("greenroom/node:20-slim", "node", _ON_NODE, "node:20-slim"),
    Image("greenroom/postgres:15-alpine", "postgres", {"BASE": _BOOKWORM}, "postgres:15-alpine"),
    Image("greenroom/redis:7-alpine", "redis", {"BASE": _BOOKWORM}, "redis:7-alpine"),
)


def files(folder: str, surroundings: Surroundings) -> dict[str, tuple[int, bytes]]:
    """Return a recipe's build context: path -> (mode, content), with what the trust recipe takes from this machine."""
    root = HERE / folder
    context = {
        path.relative_to(root).as_posix(): (path.stat().st_mode & 0o755, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
    if folder == TRUST:
        for number, authority in enumerate(surroundings.authorities, 1):
            context[f"authorities/greenroom-{number}.crt"] = (0o644, f"{authority}\n".encode())
        context["authorities/README"] = (0o644, b"Certificate authorities of the machine this cloud runs on.\n")
        lines = [f"{name}={value}" for name, value in sorted(surroundings.environment.items())]
        context["environment"] = (0o644, "".join(f"{line}\n" for line in lines).encode())
        if lines:
            mode, dockerfile = context["Dockerfile"]
            settings = " ".join(f"{name}={json.dumps(value)}" for name, value in surroundings.environment.items())
            context["Dockerfile"] = (mode, dockerfile + f"ENV {settings}\n".encode())
    return context


def digest(image: Image, surroundings: Surroundings) -> str:
    """Return the digest of all that an image is made of."""
    by_reference = {other.reference: other for other in IMAGES}
    parents = {
        argument: digest(by_reference[reference], surroundings) if reference in by_reference else reference
        for argument, reference in image.on.items()
    }
    context = {
        path: (mode, hashlib.sha256(content).hexdigest())
        for path, (mode, content) in files(image.folder, surroundings).items()
    }
    return hashlib.sha256(json.dumps([parents, context], sort_keys=True).encode()).hexdigest()
