"""Replies of the provider protocol: differences, outputs in full, and failures with what they left behind."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage

from localcloud.provider.errors import (
    ApiError,
    CancelledError,
    ConfigurationError,
    DeadlineError,
    ProviderError,
)
from localcloud.provider.protocol import provider_pb2, status_pb2
from localcloud.provider.values import Properties, encode, holds_unknown

if TYPE_CHECKING:
    from localcloud.provider.checks import Failure
    from localcloud.provider.diffs import Change
    from localcloud.provider.resources.base import Resource

_DETAILS = "grpc-status-details-bin"
_UNAUTHORIZED = 401
_KINDS = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def kind_of(urn: str) -> str:
    """Take the type out of `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`."""
    parts = urn.split("::", 3)
    return parts[2].rsplit("$", 1)[-1] if len(parts) > 2 else urn  # noqa: PLR2004 (positions in a URN)


def name_of(urn: str) -> str:
    """Take the resource's logical name out of a URN; it may hold colons itself."""
    return urn.split("::", 3)[-1]


def full(resource: Resource, identity: Any, outputs: Properties) -> Properties:
    """Add what the official plugin has among its outputs: the id, and the schema version of its state."""
    return {"id": identity} | outputs | ({"__meta": resource.meta} if resource.meta else {})


def checked(inputs: Properties, failures: list[Failure]) -> provider_pb2.CheckResponse:
    """Reply to a check."""
    return provider_pb2.CheckResponse(
        inputs=encode(inputs),
        failures=[provider_pb2.CheckFailure(property=each.property, reason=each.reason) for each in failures],
    )


def difference(changes: list[Change], *, delete_first: bool) -> provider_pb2.DiffResponse:
    """Reply to a diff; no change is said outright, never left for the engine to find out."""
    replaces = sorted({change.name for change in changes if change.replace})
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=replaces,
        deleteBeforeReplace=bool(replaces) and delete_first,
        diffs=sorted({change.name for change in changes}),
        detailedDiff={
            change.path: provider_pb2.PropertyDiff(kind=_KINDS[change.kind, change.replace]) for change in changes
        },
        hasDetailedDiff=True,
    )


def raise_partial(
    context: grpc.ServicerContext,
    urn: str,
    identity: str,
    error: ProviderError,
    *,
    outputs: Properties,
    inputs: Properties,
) -> NoReturn:
    """Fail with what there is, so that the engine keeps it."""
    known = {name: value for name, value in outputs.items() if not holds_unknown(value)}
    detail = AnyMessage()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=identity, properties=encode(known), reasons=[str(error)], inputs=encode(inputs)
        )
    )
    text = f"{_label(urn)} is not finished; the next run goes on from here"
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text, details=[detail])
    context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, text)


def described(urn: str, error: ProviderError) -> str:
    """Say which resource an error is about."""
    return f"{_label(urn)}: {error}"


def _label(urn: str) -> str:
    return f"{kind_of(urn).rsplit(':', 1)[-1]} {name_of(urn)}" if "::" in urn else urn


def status_code(error: ProviderError) -> grpc.StatusCode:
    """Give the gRPC status of an error."""
    if isinstance(error, CancelledError):
        return grpc.StatusCode.CANCELLED
    if isinstance(error, DeadlineError):
        return grpc.StatusCode.DEADLINE_EXCEEDED
    if isinstance(error, ConfigurationError):
        return grpc.StatusCode.INVALID_ARGUMENT
    if isinstance(error, ApiError) and error.status == _UNAUTHORIZED:
        return grpc.StatusCode.UNAUTHENTICATED
    return grpc.StatusCode.UNKNOWN


def bug(urn: str, error: Exception) -> str:
    """Describe an error that should not happen: its type and places, not its text, which could hold a secret."""
    places = [f"{frame.name} (line {frame.lineno})" for frame in traceback.extract_tb(error.__traceback__)[-3:]]
    return f"{urn}: the provider failed with {type(error).__name__} in {' < '.join(reversed(places))}; this is a bug"
