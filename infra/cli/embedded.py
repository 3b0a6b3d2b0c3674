"""The driver over the embedded engine: no CLI has to be installed, and no second process stands between."""

from __future__ import annotations

__all__ = ["EmbeddedDriver"]

import sys
from typing import TYPE_CHECKING, Any

from infra.cli.driver import Resource
from localcloud.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localcloud.engine import Event, Result

PROVIDERS = {"digitalocean": [sys.executable, "-m", "localcloud.provider"]}
"""Used where the official plugin is not installed."""


class EmbeddedDriver:
    """Runs the program on `localcloud.engine`."""

    def __init__(
        self,
        root: Path,
        stack: str,
        *,
        backend: Path,
        passphrase: str,
        environment: Mapping[str, str],
        on_event: Callable[[Event], None],
    ) -> None:
        self._engine = Engine(
            root,
            stack,
            backend=backend,
            passphrase=passphrase,
            providers=PROVIDERS,
            environment=environment,
            on_event=on_event,
        )

    def preview(self) -> Result:
        """Tell what `up` would do."""
        return self._engine.preview()

    def up(self) -> Result:
        """Make the stack what the program says."""
        return self._engine.up()

    def refresh(self) -> Result:
        """Compare the state with the world."""
        return self._engine.refresh()

    def destroy(self) -> Result:
        """Delete everything."""
        return self._engine.destroy()

    def cancel(self) -> None:
        """Stop after what runs now; a second call stops at once."""
        self._engine.cancel()

    def exists(self) -> bool:
        """Whether the stack has a state."""
        return self._engine.exists()

    def remove(self) -> None:
        """Forget an empty stack."""
        self._engine.remove()

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Give the stack's outputs."""
        return self._engine.outputs(show_secrets=show_secrets)

    def resources(self) -> list[Resource]:
        """Give the state's resources, secrets decrypted."""
        return [
            Resource(each.urn, each.type, each.name, each.id, each.inputs, each.outputs)
            for each in self._engine.resources(show_secrets=True)
        ]

    def secret_values(self) -> set[str]:
        """Give every secret text of state and configuration."""
        return self._engine.secret_values()

    def set_secret(self, name: str, value: str) -> None:
        """Write an encrypted value into the stack file."""
        self._engine.set_config_secret(name, value)
