"""How everything of one cloud is named and labelled on the machine, so that it is found again and swept as a whole."""

from __future__ import annotations

__all__ = ["DISK", "KIND", "Names"]

import hashlib
from dataclasses import dataclass

OWNER = "greenroom.cloud"
KIND = "greenroom.kind"
DISK = "greenroom.disk"
"""On a snapshot's image: the volume that holds what the droplet's Docker engine had."""
SNAPSHOTS = "greenroom/snapshot"


@dataclass(frozen=True)
class Names:
    """The names of one cloud's things; ``label`` tells clouds on one machine apart."""

    label: str

    def labels(self, kind: str, **more: object) -> dict[str, str]:
        """Return the labels of a new thing."""
        extra = {f"greenroom.{name.replace('_', '-')}": str(value) for name, value in more.items()}
        return {OWNER: self.label, KIND: kind, **extra}

    def filters(self, kind: str | None = None) -> dict[str, list[str]]:
        """Return the filter that finds this cloud's things, all or of one kind."""
        owner = [f"{OWNER}={self.label}"]
        return {"label": owner if kind is None else [*owner, f"{KIND}={kind}"]}

    def droplet(self, droplet_id: int) -> str:
        """Return the container of a droplet."""
        return f"greenroom-{self.label}-droplet-{droplet_id}"

    def disk(self, droplet_id: int) -> str:
        """Return the volume under a droplet's own Docker engine."""
        return f"greenroom-{self.label}-disk-{droplet_id}"

    def volume(self, volume_id: str) -> str:
        """Return the Docker volume that is a block storage volume."""
        return f"greenroom-{self.label}-volume-{volume_id}"

    def network(self, vpc_id: str) -> str:
        """Return the network of a VPC."""
        return f"greenroom-{self.label}-vpc-{vpc_id}"

    def bridge(self, vpc_id: str) -> str:
        """Return a VPC's network device (at most 15 characters)."""
        return f"gr{hashlib.sha256(f'{self.label}/{vpc_id}'.encode()).hexdigest()[:12]}"

    def snapshot(self, image_id: int) -> str:
        """Return the image reference of a snapshot."""
        return f"{SNAPSHOTS}:{self.label}-{image_id}"

    def snapshot_disk(self, image_id: int) -> str:
        """Return the volume of a snapshot's Docker data."""
        return f"greenroom-{self.label}-snapshot-{image_id}"

    @property
    def registry(self) -> str:
        """Return the container of the image registry."""
        return f"greenroom-{self.label}-registry"
