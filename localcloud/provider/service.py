"""The provider protocol: messages in, the pure functions and the resources' acts, messages out.

Each call runs in a thread of its own. What goes wrong on purpose is a `ProviderError` and becomes a gRPC status; where
something was made all the same, the status carries its id and outputs, so that the engine stores them and the next run
goes on from there. Anything else is a bug and is reported as one, with its place but without its data.
"""

# ruff: noqa: N802 (method names are the protocol's)

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty

from localcloud.provider import replies, resources, table
from localcloud.provider.api import Api, Settings
from localcloud.provider.checks import Naming, check
from localcloud.provider.diffs import deletes_first, differences
from localcloud.provider.drift import observed_inputs
from localcloud.provider.errors import (
    ConfigurationError,
    NotFoundError,
    PartialError,
    ProviderError,
)
from localcloud.provider.protocol import plugin_pb2, provider_pb2, provider_pb2_grpc
from localcloud.provider.session import Session
from localcloud.provider.values import UNKNOWN, Properties, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.provider.resources.base import Resource

T = TypeVar("T")

_READ_S = 120.0
_DISABLE_NAMING = 2


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one engine."""

    def __init__(self) -> None:
        self._api: Api | None = None
        self._cancelled = threading.Event()

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """Tell the version: that of the official provider whose properties these are."""
        del request, context
        return plugin_pb2.PluginInfo(version=table.load().version)

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Check the provider's own settings; nothing is filled in, so that state never pins an address or a token."""
        del context
        news = decode(request.news)
        shape = table.Shape(inputs=table.load().config, required=frozenset())
        checked, failures = check(shape, {}, {k: v for k, v in news.items() if k != "version"}, Naming(""))
        checked.pop("__defaults")
        if "version" in news:
            checked["version"] = news["version"]
        return replies.checked(checked, failures)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        """Compare settings; none of them needs the resources replaced."""
        del context
        olds, news = decode(request.olds), decode(request.news)
        keys = sorted(k for k in olds.keys() | news.keys() if olds.get(k) != news.get(k) and k != "version")
        changes = provider_pb2.DiffResponse.DIFF_SOME if keys else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=changes, diffs=keys)

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Take the settings; the API is not called before a resource needs it."""

        def act() -> provider_pb2.ConfigureResponse:
            prefix = "digitalocean:config:"
            config: Properties = {key.removeprefix(prefix): value for key, value in request.variables.items()}
            config |= decode(request.args)
            try:
                self._api = Api(Settings.read({k: v for k, v in config.items() if v not in ("", UNKNOWN)}))
            except ValueError as error:
                raise ConfigurationError(f"The digitalocean settings can't be used: {error}") from error
            return provider_pb2.ConfigureResponse(
                acceptSecrets=False,
                acceptResources=False,
                supportsPreview=True,
                supports_autonaming_configuration=True,
            )

        return self._guarded(context, "digitalocean", act)

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        """Validate and complete a resource's inputs."""

        def act() -> provider_pb2.CheckResponse:
            resource = _resource(request.urn)
            options = request.autonaming if request.HasField("autonaming") else None
            naming = Naming(
                prefix=replies.name_of(request.urn),
                seed=request.randomSeed,
                proposed=options.proposed_name if options else "",
                disabled=options is not None and options.mode == _DISABLE_NAMING,
            )
            inputs, failures = check(resource.shape, decode(request.olds), decode(request.news), naming)
            return replies.checked(inputs, failures or list(resource.rules(inputs)))

        return self._guarded(context, request.urn, act)

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        """Compare what state recorded with what is wanted."""

        def act() -> provider_pb2.DiffResponse:
            resource = _resource(request.urn)
            state, wanted = decode(request.olds), decode(request.news)
            changes = [change for change in differences(resource, state, wanted) if change.name not in ignored]
            if changes and (reason := resource.forbids(state, wanted)):
                raise ProviderError(reason, hint="change the program, or remove the resource and make another")
            return replies.difference(changes, delete_first=deletes_first(resource, wanted))

        ignored = set(request.ignoreChanges)
        return self._guarded(context, request.urn, act)

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        """Make a resource; in a preview, say what it would be."""

        def act() -> provider_pb2.CreateResponse:
            resource, inputs = _resource(request.urn), decode(request.properties)
            if request.preview:
                return provider_pb2.CreateResponse(
                    properties=encode(replies.full(resource, UNKNOWN, resource.planned(inputs)))
                )
            session = self._session(request.timeout or resource.create_s)
            try:
                created = resource.create(session, inputs)
            except PartialError as error:
                self._half_done(context, resource, request.urn, error, inputs)
            outputs = replies.full(resource, created.identity, created.outputs)
            return provider_pb2.CreateResponse(id=created.identity, properties=encode(outputs))

        return self._guarded(context, request.urn, act)

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        """Observe a resource: its outputs, and the inputs that would have made it so. No id means that it is gone."""

        def act() -> provider_pb2.ReadResponse:
            resource, inputs = _resource(request.urn), decode(request.inputs)
            known, identity = _public(decode(request.properties)), request.id
            if not known:
                identity, known = resource.imported(identity)
            seen = resource.observe(self._session(request.timeout or _READ_S), identity, known)
            if seen is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=identity,
                properties=encode(replies.full(resource, identity, seen)),
                inputs=encode(observed_inputs(resource, inputs, seen)),
            )

        return self._guarded(context, request.urn, act)

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        """Change a resource in place, starting from what is there."""

        def act() -> provider_pb2.UpdateResponse:
            resource = _resource(request.urn)
            olds, news = _public(decode(request.olds)), decode(request.news)
            if request.preview:
                outputs = resource.planned_update(olds, news)
                return provider_pb2.UpdateResponse(properties=encode(replies.full(resource, request.id, outputs)))
            outputs = self._update(context, resource, request, olds, news)
            return provider_pb2.UpdateResponse(properties=encode(replies.full(resource, request.id, outputs)))

        return self._guarded(context, request.urn, act)

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        """Remove a resource; one that is gone already is no error."""

        def act() -> Empty:
            resource = _resource(request.urn)
            session = self._session(request.timeout or resource.delete_s)
            resource.delete(session, request.id, _public(decode(request.properties)))
            return Empty()

        return self._guarded(context, request.urn, act)

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        """Refuse data sources by name: this provider has none."""
        text = f"{request.tok}: this provider has no data sources\n  next: read an existing resource with its `get`, "
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{text}or install the official plugin")

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        """Stop waiting: what runs ends with an error, or as half done."""
        del request, context
        self._cancelled.set()
        return Empty()

    def _update(
        self,
        context: grpc.ServicerContext,
        resource: Resource,
        request: provider_pb2.UpdateRequest,
        olds: Properties,
        news: Properties,
    ) -> Properties:
        session = self._session(request.timeout or resource.update_s)
        state = resource.observe(session, request.id, olds)
        if state is None:
            short = resource.kind.rsplit(":", 1)[1]
            raise NotFoundError(short, 404, "not_found", f"{request.id} does not exist any more")
        try:
            return resource.update(session, request.id, state, news)
        except ProviderError as error:
            now = self._look(resource, request.id, olds)
            if now is None or now == olds:
                raise
            replies.raise_partial(
                context, request.urn, request.id, error, outputs=replies.full(resource, request.id, now), inputs=news
            )

    def _half_done(
        self, context: grpc.ServicerContext, resource: Resource, urn: str, error: PartialError, inputs: Properties
    ) -> NoReturn:
        known = resource.record(inputs)
        outputs = self._look(resource, error.identity, known) or known
        replies.raise_partial(
            context, urn, error.identity, error, outputs=replies.full(resource, error.identity, outputs), inputs=inputs
        )

    def _look(self, resource: Resource, identity: str, known: Properties) -> Properties | None:
        """Observe after a failure, for as long as one request may take, cancelled or not."""
        try:
            return resource.observe(Session(self._ready(), _READ_S, threading.Event()), identity, known)
        except ProviderError:
            return None

    def _session(self, timeout_s: float) -> Session:
        return Session(self._ready(), timeout_s, self._cancelled)

    def _ready(self) -> Api:
        if self._api is None:
            raise ConfigurationError("The provider was called before it was configured")
        return self._api

    def _guarded(self, context: grpc.ServicerContext, urn: str, act: Callable[[], T]) -> T:
        """Run an act, and turn what it raises into a gRPC status."""
        try:
            return act()
        except ProviderError as error:
            context.abort(replies.status_code(error), replies.described(urn, error))
        except KeyError as error:
            if error.args and error.args[0] == replies.kind_of(urn):
                supported = ", ".join(sorted(each.rsplit(":", 1)[1] for each in resources.MODULES))
                text = f"{urn}: this provider has no such resource type\n  next: use one of {supported}, "
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{text}or install the official plugin")
            context.abort(grpc.StatusCode.INTERNAL, replies.bug(urn, error))
        except (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            context.abort(grpc.StatusCode.INTERNAL, replies.bug(urn, error))


def _resource(urn: str) -> Resource:
    return resources.find(replies.kind_of(urn))


def _public(properties: Properties) -> Properties:
    """Leave out bookkeeping: the official plugin's would not match outputs that this provider has changed."""
    return {name: value for name, value in properties.items() if not name.startswith("__") and name != "id"}
