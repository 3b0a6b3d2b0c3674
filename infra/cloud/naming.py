"""How the stack's resources are called in the account: one prefix, one tag, and the volume's place on the droplet."""

from __future__ import annotations

__all__ = ["Names"]

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """Names that follow from the project's and the stack's."""

    project: str
    stack: str

    @property
    def prefix(self) -> str:
        """The droplet's name, and the beginning of all others."""
        return f"{self.project}-{self.stack}".lower().replace("_", "-").replace(".", "-")

    @property
    def tag(self) -> str:
        """The tag that every resource carries, and that the firewall goes by."""
        return self.prefix

    @property
    def volume(self) -> str:
        """The volume's name."""
        return f"{self.prefix}-data"

    @property
    def volume_path(self) -> str:
        """Where the volume is mounted, as DigitalOcean's own images do it."""
        return f"/mnt/{self.volume.replace('-', '_')}"
