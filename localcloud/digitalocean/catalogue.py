"""What there is to choose from: regions, sizes and public images, read from `data/catalogue.json`.

The file holds facts; what follows from them (hourly prices, which size is sold where) is worked out here.
"""

from __future__ import annotations

__all__ = ["Catalogue"]

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from localcloud.digitalocean.errors import unprocessable

if TYPE_CHECKING:
    from localcloud.digitalocean.store import Document

BILLED_HOURS = 672
"""A month has 28 days of 24 hours on the price list."""


@dataclass(frozen=True)
class Catalogue:
    """Regions, sizes and images as the API shows them, by slug."""

    regions: dict[str, Document]
    sizes: dict[str, Document]
    images: dict[str, Document]

    @staticmethod
    @cache
    def load() -> Catalogue:
        """Read the packaged catalogue."""
        text = resources.files("localcloud.digitalocean").joinpath("data", "catalogue.json").read_text(encoding="utf-8")
        data = json.loads(text)
        open_regions = [row["slug"] for row in data["regions"] if row["available"]]
        sizes = {row["slug"]: size(row, open_regions) for row in data["sizes"]}
        regions = {row["slug"]: region(row, list(sizes)) for row in data["regions"]}
        images = {row["slug"]: image(row, list(regions)) for row in data["images"]}
        return Catalogue(regions, sizes, images)

    def region(self, slug: str) -> Document:
        """Return a region; 422 when there is none of that name or it takes no new droplets."""
        found = self.regions.get(slug.lower())
        if found is None or not found["available"]:
            raise unprocessable(f"Region is not available: {slug!r}")
        return found

    def size(self, slug: str) -> Document:
        """Return a size; 422 when there is none of that name."""
        found = self.sizes.get(slug)
        if found is None:
            raise unprocessable(f"You specified an invalid size for Droplet creation: {slug!r}")
        return found

    def image_by_id(self, number: int) -> Document | None:
        """Return the public image of that number, or None."""
        return next((image for image in self.images.values() if image["id"] == number), None)


def size(row: Document, regions: list[str]) -> Document:
    """Return one size as the API shows it."""
    return {
        **row,
        "price_hourly": round(row["price_monthly"] / BILLED_HOURS, 5),
        "regions": regions,
        "available": True,
        "disk_info": [{"type": "local", "size": {"amount": row["disk"], "unit": "gib"}}],
    }


def region(row: Document, sizes: list[str]) -> Document:
    """Return one region as the API shows it."""
    features = ["backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"]
    return {**row, "features": features, "sizes": sizes if row["available"] else []}


def image(row: Document, regions: list[str]) -> Document:
    """Return one public image as the API shows it."""
    return {
        "type": "snapshot",
        "public": True,
        "regions": regions,
        "min_disk_size": 7,
        "tags": [],
        "status": "available",
        "error_message": "",
        **row,
    }
