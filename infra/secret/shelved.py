"""What sources have in common whose secrets lie together at places: one fetch a place, one error a name."""

from __future__ import annotations

__all__ = ["ShelvedSource"]

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from infra.secret.shelf import Refusal, Shelf
from infra.secret.sources import Secret, SecretError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.secret.shelf import Bundle

Place = TypeVar("Place")


class ShelvedSource(ABC, Generic[Place]):
    """The secrets of one stack that lie in one store, each at a place of its own kind."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places
        self._shelf = Shelf(self._fetch)

    @property
    @abstractmethod
    def where(self) -> str:
        """Name the source."""

    def read(self, name: str) -> Secret | None:
        """Return the secret; SecretError when the store does not give it."""
        place = self._places[name]
        try:
            bundle = self._shelf.get(self._bundle_of(place))
            text = self._pick(bundle, place)
        except Refusal as refusal:
            raise SecretError(name, self.where, refusal.reason, refusal.why, hint=refusal.hint) from refusal
        return Secret(text, bundle.changed)

    @abstractmethod
    def _bundle_of(self, place: Place) -> str:
        """Name what is fetched as one: places of the same name share a call."""

    @abstractmethod
    def _fetch(self, bundle: str) -> Bundle:
        """Ask the store; raises Refusal."""

    @abstractmethod
    def _pick(self, bundle: Bundle, place: Place) -> str:
        """Return the one text; raises Refusal where it is not there or no text."""
