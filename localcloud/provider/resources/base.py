"""The shape that all resource modules have.

A resource is its row of the property table, pure functions between the API's objects and properties, and four acts.
Outputs are recorded inputs and, over them, what the API says. Every act may be repeated: `update` starts from what is
there and does what is missing, so it also finishes what an interrupted create began.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from localcloud.provider import table
from localcloud.provider.diffs import changed_names
from localcloud.provider.errors import NotFoundError, PartialError, ProviderError
from localcloud.provider.states import canonical, recorded, recorded_value
from localcloud.provider.values import UNKNOWN, Properties, holds_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.provider.checks import Failure
    from localcloud.provider.session import Session


@dataclass(frozen=True)
class Created:
    """What create made."""

    identity: str
    outputs: Properties


class Resource(ABC):
    """One resource type."""

    kind: ClassVar[str]
    """The Pulumi type."""
    create_s: ClassVar[float] = 600.0
    update_s: ClassVar[float] = 600.0
    delete_s: ClassVar[float] = 600.0
    """Longest times for the acts when the program sets no customTimeouts."""
    meta: ClassVar[str] = ""
    """The official provider's note on its state's schema version, where that is not 0."""
    moving: ClassVar[dict[str, frozenset[str]]] = {}
    """Outputs that a change of an input changes with it; unknown in the preview of that change."""

    @property
    def shape(self) -> table.Shape:
        """The resource's row of the property table."""
        return table.load().resources[self.kind]

    def rules(self, inputs: Properties) -> Iterator[Failure]:
        """Check what the table can't say: rules over several properties."""
        del inputs
        yield from ()

    def forbids(self, state: Properties, wanted: Properties) -> str:
        """Say why a change is impossible, empty if it is not."""
        del state, wanted
        return ""

    def is_same(self, name: str, have: Any, want: Any, wanted: Properties) -> bool:
        """Whether a recorded value is the wanted one."""
        del wanted
        item = self.shape.inputs[name]
        if holds_unknown(want):
            return False
        return canonical(item, have) == canonical(item, recorded_value(item, want))

    def strays(self, state: Properties) -> tuple[str, ...]:
        """Name the outputs that are not as they should be, whatever the inputs say."""
        del state
        return ()

    def must_replace(self, name: str, have: Any, want: Any) -> bool:
        """Whether a changed property asks for a new resource."""
        del have, want
        return self.shape.inputs[name].replace

    def record(self, inputs: Properties) -> Properties:
        """Give inputs as state records them."""
        return recorded(self.shape, inputs)

    def planned(self, inputs: Properties) -> Properties:
        """Give the outputs that a create would have, as far as they can be known."""
        computed = [name for name, item in self.shape.inputs.items() if item.computed]
        defaults = {name: item.default for name, item in self.shape.inputs.items() if item.default is not None}
        return dict.fromkeys([*self.shape.outputs, *computed], UNKNOWN) | defaults | self.record(inputs)

    def planned_update(self, state: Properties, inputs: Properties) -> Properties:
        """Give the outputs that an update would have, as far as they can be known."""
        changed = changed_names(self, state, inputs)
        moving = {output for name in changed for output in self.moving.get(name, ())} | (
            changed & self.shape.outputs.keys()
        )
        kept = {name: value for name, value in state.items() if name not in changed}
        return kept | dict.fromkeys(moving, UNKNOWN) | self.record(inputs)

    @abstractmethod
    def create(self, session: Session, inputs: Properties) -> Created:
        """Make it; raises PartialError where it exists but could not be finished."""

    @abstractmethod
    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read its outputs; `known` gives what the API never tells. None if it is gone."""

    @abstractmethod
    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Make it what the inputs say; `state` is what was observed a moment ago."""

    @abstractmethod
    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Remove it; that it is gone already is as good."""

    def imported(self, identity: str) -> tuple[str, Properties]:
        """Split an import's identifier into the resource's own and the properties that are part of it."""
        return identity, {}

    def outputs(self, session: Session, identity: str, inputs: Properties) -> Properties:
        """Observe what was just made or changed; raises PartialError where it can't be read."""
        try:
            seen = self.observe(session, identity, self.record(inputs))
        except ProviderError as error:
            raise PartialError(identity, error) from error
        if seen is None:
            operation = self.kind.rsplit(":", 1)[1]
            raise NotFoundError(operation, 404, "not_found", f"{operation} {identity} vanished while it was worked on")
        return seen
