"""The engine's own package, `pulumi`: references to other stacks' outputs.

It needs no process. A stack reference is only ever read; its id and its one input are the other stack's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.engine import values
from localcloud.engine.clients import Capabilities, CheckFailure, Diff, Identity
from localcloud.engine.plugins import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud.engine.values import PropertyMap

STACK_REFERENCE = "pulumi:pulumi:StackReference"


class BuiltinClient:
    """Answers like a provider's client."""

    def __init__(self, stack_outputs: Callable[[str], PropertyMap]) -> None:
        """`stack_outputs` reads another stack's outputs, secrets marked; it raises EngineError when it can't."""
        self._stack_outputs = stack_outputs
        self.can = Capabilities(secrets=True, resources=True, preview=True)
        self.label = "pulumi"

    def check_config(
        self, _who: Identity, _olds: PropertyMap, news: PropertyMap
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Accept what is there."""
        return news, []

    def diff_config(self, _who: Identity, _old_inputs: PropertyMap, olds: PropertyMap, news: PropertyMap) -> Diff:
        """Compare plainly."""
        return Diff("none" if values.equal(olds, news) else "some")

    def configure(self, _who: Identity, _identity: str, _package: str, _inputs: PropertyMap) -> None:
        """Need nothing."""
        self.can.is_configured = True

    def check(
        self, who: Identity, _olds: PropertyMap, _news: PropertyMap, _seed: bytes
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Refuse: nothing in this package is made by a program."""
        raise ProviderError(f"The type {who.type} can't be registered; read it instead")

    def diff(
        self,
        _who: Identity,
        _identity: str,
        *,
        old_inputs: PropertyMap,
        olds: PropertyMap,
        news: PropertyMap,
        ignore_changes: Sequence[str] = (),
    ) -> Diff:
        """Compare inputs."""
        del olds, ignore_changes
        return Diff("none" if values.equal(old_inputs, news) else "some")

    def create(self, who: Identity, _inputs: PropertyMap, _timeout_s: float) -> tuple[str, PropertyMap]:
        """Refuse."""
        raise ProviderError(f"The type {who.type} can't be created")

    def update(
        self,
        who: Identity,
        _identity: str,
        *,
        old_inputs: PropertyMap,
        olds: PropertyMap,
        news: PropertyMap,
        timeout_s: float,
        ignore_changes: Sequence[str] = (),
    ) -> PropertyMap:
        """Refuse."""
        del old_inputs, olds, news, timeout_s, ignore_changes
        raise ProviderError(f"The type {who.type} can't be updated")

    def delete(
        self, who: Identity, _identity: str, *, old_inputs: PropertyMap, olds: PropertyMap, timeout_s: float
    ) -> None:
        """Refuse."""
        del old_inputs, olds, timeout_s
        raise ProviderError(f"The type {who.type} can't be deleted")

    def read(
        self, who: Identity, identity: str, *, inputs: PropertyMap, properties: PropertyMap
    ) -> tuple[str, PropertyMap, PropertyMap]:
        """Read a stack reference."""
        del properties
        if who.type != STACK_REFERENCE:
            raise ProviderError(f"The type {who.type} is not known to the engine")
        name = inputs.get("name", identity)
        outputs = self._stack_outputs(name)
        secret_names = sorted(key for key, value in outputs.items() if values.contains_secret(value))
        return name, {"name": name}, {"name": name, "outputs": outputs, "secretOutputNames": secret_names}

    def invoke(self, token: str, _args: PropertyMap) -> tuple[PropertyMap, list[CheckFailure]]:
        """Refuse."""
        raise ProviderError(f"The function {token} is not supported by this engine")

    def cancel(self) -> None:
        """Do nothing: nothing runs here."""
