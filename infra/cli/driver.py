"""The seam between the command line and whatever runs the program: the official engine or the embedded one.

Both speak the embedded engine's vocabulary of steps, events and results, so that everything above is written once.
"""

from __future__ import annotations

__all__ = ["Driver", "Resource", "choose_driver"]

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localcloud.engine import Event, Result


@dataclass(frozen=True)
class Resource:
    """One resource of the stack's state."""

    urn: str
    type: str
    name: str
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


class Driver(Protocol):
    """What the command line asks of an engine."""

    def preview(self) -> Result:
        """Tell what `up` would do; changes nothing."""
        ...

    def up(self) -> Result:
        """Make the stack what the program says."""
        ...

    def refresh(self) -> Result:
        """Compare the state with the world and adopt what is there."""
        ...

    def destroy(self) -> Result:
        """Delete everything."""
        ...

    def cancel(self) -> None:
        """Stop after what runs now; a second call stops at once."""
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
    wanted = os.environ.get("GREENROOM_ENGINE") or ("official" if shutil.which("pulumi") else "embedded")
    arguments: dict[str, Any] = {
        "backend": backend,
        "passphrase": passphrase,
        "environment": environment,
        "on_event": on_event,
    }
    if wanted == "official":
        from infra.cli.official import OfficialDriver  # noqa: PLC0415 - the other one is not loaded

        return OfficialDriver(root, stack, **arguments)
    from infra.cli.embedded import EmbeddedDriver  # noqa: PLC0415 - as above

    return EmbeddedDriver(root, stack, **arguments)
