"""A stack's files, opened together: its project, its settings, its state, and the keys to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.engine import urn as urns
from localcloud.engine.backend import StackStore
from localcloud.engine.checkpoint import Decoder, resource_documents, salt_of
from localcloud.engine.errors import EngineError, StackNotFoundError
from localcloud.engine.project import Project, StackFile
from localcloud.engine.secrets import Salt, SecretsManager
from localcloud.engine.starting import BUILTIN_PACKAGE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets managers of a stack: one that reads the state, and one for all else. Mostly they are the same."""

    ours: SecretsManager
    state: SecretsManager

    def verify(self) -> None:
        """Wait for the keys and check them. Raises PassphraseError."""
        self.ours.verify()
        self.state.verify()


class Stack:
    """One stack of one project."""

    def __init__(self, root: Path, name: str, backend: Path, passphrase: str) -> None:
        """Read the project's and the stack's settings. Raises ProjectError or UnsupportedError."""
        self.project = Project.load(root)
        self.name = name
        self.file = StackFile(self.project, name)
        self.store = StackStore(backend, self.project.name, name)
        self._passphrase = passphrase

    def keys(self, document: Mapping[str, Any] | None) -> Keys:
        """Start deriving the stack's keys.

        Settings and state name their salts each for itself: the CLI makes a new one for settings that have none. What
        is new is encrypted under that of the settings, of the state, or a new one, in this order.
        """
        stored = salt_of(document) if document else ""
        ours = self._manager(self.file.salt or stored)
        return Keys(ours, ours if stored in ("", self.file.salt or stored) else self._manager(stored))

    def manager_of(self, document: Mapping[str, Any]) -> SecretsManager:
        """Start deriving the key of another stack's state, under its own salt and this stack's passphrase."""
        return self._manager(salt_of(document))

    def _manager(self, salt: str) -> SecretsManager:
        return SecretsManager(self._passphrase, Salt.parse(salt) if salt else None)

    def read(self, *, required: bool = True) -> Mapping[str, Any] | None:
        """Return the state's document, checked as far as that needs no key.

        Raises StateError or UnsupportedError naming the file, and StackNotFoundError when one is `required`.
        """
        document = self.store.read()
        if document is None:
            if required:
                raise StackNotFoundError(
                    f"There is no stack {self.name!r} of {self.project.name!r} in {self.store.root}"
                )
            return None
        try:
            Decoder(None).decode(document)
        except EngineError as error:
            raise type(error)(f"{self.store.path}: {error.message}", hint=error.hint) from error
        return document


def used_providers(document: Mapping[str, Any], file: StackFile) -> list[tuple[str, str, Mapping[str, str]]]:
    """Return (package, version, own configuration) of each provider the state has, as far as known without the key."""
    used: list[tuple[str, str, Mapping[str, str]]] = []
    for entry in resource_documents(document):
        kind = entry.get("type", "")
        if not urns.is_provider(kind) or entry.get("delete"):
            continue
        package = urns.package_of(kind)
        own = {} if package == urns.DYNAMIC_PACKAGE else file.plain_namespace(package)
        version = (entry.get("inputs") or {}).get("version") or ""
        if package != BUILTIN_PACKAGE and own is not None and isinstance(version, str):
            used.append((package, version, own))
    return used
