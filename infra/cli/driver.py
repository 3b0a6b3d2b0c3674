"""The seam between the command line and whatever runs the program: the official engine or the embedded one.

Both speak the embedded engine's vocabulary of steps, events and results, so that everything above is written once.
"""

from __future__ import annotations

__all__ = ["Driver", "Resource"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.engine import Result


@dataclass(frozen=True)
class Resource:
    """One resource of the stack's state."""

    urn: str
    type: str
    name: str
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    leftover: bool = False
    """Whether it was replaced, and the old one is still to be deleted."""
    modified: str = ""
    """When the engine last recorded a change of it, as RFC 3339; empty where it never did."""


class Driver(Protocol):
    """What the command line asks of an engine."""

    def preview(self) -> Result:
        """Tell what `up` would do; changes nothing."""
        ...

    def up(self, *, refresh: bool = False) -> Result:
        """Make the stack what the program says; with `refresh`, after adopting what is there."""
        ...

    def refresh(self) -> Result:
        """Compare the state with the world and adopt what is there."""
        ...

    def look(self) -> Result:
        """Compare the state with the world; changes neither."""
        ...

    def pending(self) -> list[tuple[str, str]]:
        """Give (operation, urn) of what a run that was cut short has left open."""
        ...

    def destroy(self) -> Result:
        """Delete everything."""
        ...

    def cancel(self, *, told: bool = False) -> None:
        """Stop after what runs now; a second call stops at once.

        `told` says that a terminal has sent the interrupt to every process on it, so to the engine's own too.
        """
        ...

    def exists(self) -> bool:
        """Whether the stack has a state."""
        ...

    def remove(self) -> None:
        """Forget an empty stack."""
        ...

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Give the stack's outputs without running the program."""
        ...

    def resources(self) -> list[Resource]:
        """Give the state's resources, secrets decrypted: for display through the mask, and for the pinned login."""
        ...

    def secret_values(self) -> set[str]:
        """Give every secret text the state and the configuration know, for the mask."""
        ...

    def config(self) -> dict[str, str]:
        """Give the project's configuration without its namespace, secrets decrypted: to be judged, never shown."""
        ...

    def set_secret(self, name: str, value: str) -> None:
        """Write an encrypted value into the stack file."""
        ...
