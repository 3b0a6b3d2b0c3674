"""What DigitalOcean offers, carried as data, so that a size or a region that does not exist is named before any call.

The list is small and dated (its source is named in the file). A slug that is newer than the list is refused too: the
list is the place to add it, in one line.
"""

from __future__ import annotations

__all__ = ["Catalogue", "Size", "catalogue"]

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Size:
    """What a droplet size gives."""

    vcpus: int
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True)
class Catalogue:
    """Regions, sizes and images by their slugs."""

    regions: tuple[str, ...]
    sizes: dict[str, Size]
    images: tuple[str, ...]


@cache
def catalogue() -> Catalogue:
    """Read the catalogue that stands beside this module."""
    data = json.loads(Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8"))
    return Catalogue(
        regions=tuple(data["regions"]),
        sizes={slug: Size(*numbers) for slug, numbers in data["sizes"].items()},
        images=tuple(data["images"]),
    )
