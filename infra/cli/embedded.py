"""The driver over the embedded engine: no CLI has to be installed, and no second process stands between."""

from __future__ import annotations

__all__ = ["EmbeddedDriver"]

import sys
from typing import TYPE_CHECKING, Any, cast

from infra.cli.driver import Resource
from localcloud.engine import Engine
from localcloud.engine.urn import name_of
from localcloud.engine.values import Secret, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from localcloud.engine import Event, ResourceState, Result

PROVIDERS = {"digitalocean": [sys.executable, "-m", "localcloud.provider"]}
"""Used where the official plugin is not installed."""
PRELOAD = ("infra.settings", "infra.cloud", "infra.deployment")
"""What the program takes longest to import; none of it looks at the stack."""
PRELOAD_TO_READ = ("infra.host", "infra.transport.worker", "fabric")
"""What the host resources need to look at a host."""


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
            preload=PRELOAD,
            preload_to_read=PRELOAD_TO_READ,
        )
        self._known: list[ResourceState] | None = None

    def preview(self) -> Result:
        """Tell what `up` would do."""
        return self._engine.preview()

    def up(self, *, refresh: bool = False) -> Result:
        """Make the stack what the program says."""
        self._known = None
        return self._engine.up(refresh=refresh)

    def refresh(self) -> Result:
        """Compare the state with the world."""
        self._known = None
        return self._engine.refresh()

    def look(self) -> Result:
        """Compare the state with the world; changes neither."""
        return self._engine.look()

    def pending(self) -> list[tuple[str, str]]:
        """Give (operation, urn) of what a run that was cut short has left open."""
        return self._engine.pending()

    def destroy(self) -> Result:
        """Delete everything."""
        self._known = None
        return self._engine.destroy()

    def cancel(self, *, told: bool = False) -> None:
        """Stop after what runs now; a second call stops at once. The engine runs here, so nobody else tells it."""
        del told
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
            Resource(
                each.urn,
                each.type,
                name_of(each.urn),
                each.id,
                shown(each.inputs),
                shown(each.outputs),
                leftover=each.delete,
                modified=each.modified,
            )
            for each in self._entries()
        ]

    def secret_values(self) -> set[str]:
        """Give every secret text of the state.

        A provider that hands a secret input back makes the whole output of that name secret, addresses and names with
        it; so of outputs only those count that are no inputs.
        """
        values: set[str] = set()
        for each in self._entries():
            own = {key: value for key, value in each.outputs.items() if key not in each.inputs}
            values |= set(_secrets_in(each.inputs)) | set(_secrets_in(own))
        return values

    def _entries(self) -> list[ResourceState]:
        """Decrypt the state once for all who ask between two runs."""
        if self._known is None:
            self._known = self._engine.resources() if self._engine.exists() else []
        return self._known

    def config(self) -> dict[str, str]:
        """Give the project's configuration, secrets decrypted."""
        return self._engine.config()

    def set_secret(self, name: str, value: str) -> None:
        """Write an encrypted value into the stack file."""
        self._engine.set_config_secret(name, value)


def _secrets_in(value: Any, *, inside: bool = False) -> Iterator[str]:
    """Yield the texts that are marked secret, at whatever depth."""
    if isinstance(value, Secret):
        yield from _secrets_in(value.value, inside=True)
    elif isinstance(value, dict):
        for each in cast("dict[str, Any]", value).values():
            yield from _secrets_in(each, inside=inside)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _secrets_in(each, inside=inside)
    elif inside and isinstance(value, str):
        yield value
