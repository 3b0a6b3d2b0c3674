"""The provider protocol with the engine's values: what may be asked of a provider, and what its answers mean.

A client knows what its provider accepts. Secrets are taken off for those that do not accept them, and put back on what
they return; unknown values travel as sentinels; answers of UNIMPLEMENTED mean what the protocol says they mean.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from google.protobuf import empty_pb2

from localcloud.engine import values, wire
from localcloud.engine.checkpoint import json_text
from localcloud.engine.plugins import ProviderError
from localcloud.engine.protocol import provider_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localcloud.engine.plugins import Plugin
    from localcloud.engine.values import PropertyMap

CANCEL_PATIENCE_S = 5.0
Changes = Literal["none", "some", "unknown"]
_CHANGES: dict[int, Changes] = {0: "unknown", 1: "none", 2: "some"}
_KINDS = {0: "add", 1: "add-replace", 2: "delete", 3: "delete-replace", 4: "update", 5: "update-replace"}


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """An input the provider does not accept."""

    property: str
    reason: str


@dataclass(frozen=True, slots=True)
class Diff:
    """A provider's opinion on old state against new inputs."""

    changes: Changes
    replaces: tuple[str, ...] = ()
    delete_before_replace: bool = False
    keys: tuple[str, ...] = ()
    detailed: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def must_replace(self) -> bool:
        """Whether the change can't be made in place; reasons to replace count only where there is a change."""
        return self.changes == "some" and bool(self.replaces)


@dataclass(frozen=True, slots=True)
class Identity:
    """How provider calls name a resource."""

    urn: str
    name: str
    type: str


@dataclass(slots=True)
class Capabilities:
    """What the provider said it can handle."""

    secrets: bool = False
    resources: bool = False
    preview: bool = False
    is_configured: bool = False


class ProviderClient:
    """One provider resource's process, configured or about to be."""

    def __init__(self, plugin: Plugin, *, preview: bool) -> None:
        self.plugin = plugin
        self.can = Capabilities()
        self._preview = preview
        self._cancel_lock = threading.Lock()
        self._is_cancelled = False

    @property
    def label(self) -> str:
        """The provider's name in messages."""
        return self.plugin.label

    def introduce(self, engine: str, root: str, program: str) -> None:
        """Shake hands. A provider that does not know the handshake tells what it can in Configure."""
        answer = self.plugin.call(
            "Handshake",
            provider_pb2.ProviderHandshakeRequest(
                engine_address=engine,
                root_directory=root,
                program_directory=program,
                configure_with_urn=True,
                invoke_with_preview=True,
            ),
        )
        if answer is not None:
            self.can.secrets, self.can.resources, self.can.preview = (
                answer.accept_secrets,
                answer.accept_resources,
                True,
            )

    def struct(self, properties: Mapping[str, Any], *, secrets: bool | None = None) -> Any:
        """Return the properties as this provider may see them."""
        keep = self.can.secrets if secrets is None else secrets
        return wire.to_struct(properties, secrets=keep, references=self.can.resources)

    def check_config(
        self, who: Identity, olds: PropertyMap, news: PropertyMap
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Check a provider's own inputs; without CheckConfig they are fine as they are."""
        request = provider_pb2.CheckRequest(
            urn=who.urn,
            name=who.name,
            type=who.type,
            olds=self.struct(olds, secrets=False),
            news=self.struct(news, secrets=False),
        )
        answer = self.plugin.call("CheckConfig", request)
        if answer is None:
            return news, []
        inputs = values.remark(wire.from_struct(answer.inputs), news)
        if "version" in news:
            inputs.setdefault("version", news["version"])
        return inputs, _failures(answer)

    def diff_config(self, who: Identity, old_inputs: PropertyMap, olds: PropertyMap, news: PropertyMap) -> Diff:
        """Compare a provider's own inputs; without DiffConfig they are compared here, and never replaced."""
        request = provider_pb2.DiffRequest(
            urn=who.urn,
            name=who.name,
            type=who.type,
            old_inputs=self.struct(old_inputs, secrets=False),
            olds=self.struct(olds, secrets=False),
            news=self.struct(news, secrets=False),
        )
        answer = self.plugin.call("DiffConfig", request)
        if answer is None or answer.changes == 0:
            return Diff("none" if values.equal(olds, news) else "some")
        return _diff(answer)

    def configure(self, who: Identity, identity: str, package: str, inputs: PropertyMap) -> None:
        """Configure the provider with its inputs, secrets kept. Raises ProviderError."""
        known = {key: value for key, value in inputs.items() if key != "version"}
        variables = {f"{package}:config:{key}": config_text(value) for key, value in known.items()}
        answer = self.plugin.call(
            "Configure",
            provider_pb2.ConfigureRequest(
                variables=variables,
                args=wire.to_struct(known),
                acceptSecrets=True,
                acceptResources=True,
                sends_old_inputs=True,
                sends_old_inputs_to_delete=True,
                id=identity,
                urn=who.urn,
                name=who.name,
                type=who.type,
            ),
        )
        if answer is not None:
            self.can.secrets = self.can.secrets or answer.acceptSecrets
            self.can.resources = self.can.resources or answer.acceptResources
            self.can.preview = self.can.preview or answer.supportsPreview
        self.can.is_configured = True

    def check(
        self, who: Identity, olds: PropertyMap, news: PropertyMap, seed: bytes
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Check and complete inputs: `olds` are old inputs."""
        if not self.can.is_configured:
            return news, []
        answer = self.plugin.call(
            "Check",
            provider_pb2.CheckRequest(
                urn=who.urn,
                name=who.name,
                type=who.type,
                olds=self.struct(olds),
                news=self.struct(news),
                randomSeed=seed,
            ),
        )
        if answer is None:
            return news, []
        return values.remark(wire.from_struct(answer.inputs), news), _failures(answer)

    def diff(
        self,
        who: Identity,
        identity: str,
        *,
        old_inputs: PropertyMap,
        olds: PropertyMap,
        news: PropertyMap,
        ignore_changes: Sequence[str] = (),
    ) -> Diff:
        """Compare old outputs with new inputs; "unknown" when the provider can't be asked."""
        if not self.can.is_configured:
            return Diff("unknown")
        answer = self.plugin.call(
            "Diff",
            provider_pb2.DiffRequest(
                id=identity,
                urn=who.urn,
                name=who.name,
                type=who.type,
                old_inputs=self.struct(old_inputs),
                olds=self.struct(olds),
                news=self.struct(news),
                ignoreChanges=list(ignore_changes),
            ),
        )
        return Diff("unknown") if answer is None else _diff(answer)

    def create(self, who: Identity, inputs: PropertyMap, timeout_s: float) -> tuple[str, PropertyMap]:
        """Create the resource, or say what it would be; returns id and outputs."""
        if self._preview and not self.can.is_configured:
            return "", {}
        if self._preview and not self.can.preview:
            return "", inputs
        answer = self._require(
            "Create",
            provider_pb2.CreateRequest(
                urn=who.urn,
                name=who.name,
                type=who.type,
                properties=self.struct(inputs),
                timeout=timeout_s,
                preview=self._preview,
            ),
        )
        if not answer.id and not self._preview:
            raise ProviderError(f"The {self.label} provider returned no id from Create")
        return answer.id, values.remark(wire.from_struct(answer.properties), inputs)

    def update(
        self,
        who: Identity,
        identity: str,
        *,
        old_inputs: PropertyMap,
        olds: PropertyMap,
        news: PropertyMap,
        timeout_s: float,
        ignore_changes: Sequence[str] = (),
    ) -> PropertyMap:
        """Update the resource in place, or say what it would become; returns the outputs."""
        if self._preview and not self.can.is_configured:
            return {}
        if self._preview and not self.can.preview:
            return news
        answer = self._require(
            "Update",
            provider_pb2.UpdateRequest(
                id=identity,
                urn=who.urn,
                name=who.name,
                type=who.type,
                old_inputs=self.struct(old_inputs),
                olds=self.struct(olds),
                news=self.struct(news),
                timeout=timeout_s,
                ignoreChanges=list(ignore_changes),
                preview=self._preview,
            ),
        )
        return values.remark(wire.from_struct(answer.properties), news)

    def delete(
        self, who: Identity, identity: str, *, old_inputs: PropertyMap, olds: PropertyMap, timeout_s: float
    ) -> None:
        """Delete the resource."""
        self._require(
            "Delete",
            provider_pb2.DeleteRequest(
                id=identity,
                urn=who.urn,
                name=who.name,
                type=who.type,
                properties=self.struct(olds),
                old_inputs=self.struct(old_inputs),
                timeout=timeout_s,
            ),
        )

    def read(
        self, who: Identity, identity: str, *, inputs: PropertyMap, properties: PropertyMap
    ) -> tuple[str, PropertyMap, PropertyMap]:
        """Read the resource as it is; returns id (empty: gone), inputs and outputs."""
        answer = self._require(
            "Read",
            provider_pb2.ReadRequest(
                id=identity,
                urn=who.urn,
                name=who.name,
                type=who.type,
                properties=self.struct(properties),
                inputs=self.struct(inputs),
            ),
        )
        outputs = values.remark(wire.from_struct(answer.properties), properties)
        found = values.remark(wire.from_struct(answer.inputs), inputs) if answer.HasField("inputs") else inputs
        return answer.id, found, outputs

    def invoke(self, token: str, args: PropertyMap) -> tuple[PropertyMap, list[CheckFailure]]:
        """Call a function of the package; any secret argument makes the whole result secret."""
        answer = self._require(
            "Invoke", provider_pb2.InvokeRequest(tok=token, args=self.struct(args), preview=self._preview)
        )
        result = wire.from_struct(getattr(answer, "return"))
        if not self.can.secrets and values.contains_secret(args):
            result = values.mark_keys(result, frozenset(result))
        return result, _failures(answer)

    def _require(self, method: str, request: Any) -> Any:
        answer = self.plugin.call(method, request)
        if answer is None:
            raise ProviderError(f"The {self.label} provider does not implement {method}")
        return answer

    def cancel(self) -> None:
        """Ask the provider to give up what it is doing; not knowing how is fine."""
        with self._cancel_lock:
            if self._is_cancelled:
                return
            self._is_cancelled = True
        try:
            self.plugin.call("Cancel", empty_pb2.Empty(), CANCEL_PATIENCE_S)
        except ProviderError:
            return


def config_text(value: Any) -> str:
    """Return a provider input as the string that the old form of Configure carries."""
    bare = values.shown(value)
    return bare if isinstance(bare, str) else json_text(bare)


def _failures(answer: Any) -> list[CheckFailure]:
    return [CheckFailure(failure.property, failure.reason) for failure in answer.failures]


def _diff(answer: Any) -> Diff:
    detailed = {key: _KINDS[item.kind] for key, item in answer.detailedDiff.items()}
    replaces = dict.fromkeys([*answer.replaces, *(key for key, kind in detailed.items() if kind.endswith("-replace"))])
    return Diff(
        changes=_CHANGES.get(answer.changes, "unknown"),
        replaces=tuple(replaces),
        delete_before_replace=answer.deleteBeforeReplace,
        keys=tuple(answer.diffs),
        detailed=detailed,
    )
