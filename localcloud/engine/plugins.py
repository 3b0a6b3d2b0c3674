"""One provider process with its connection: its start, its calls, and what their errors mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from localcloud.engine import protocol, wire
from localcloud.engine.processes import Drain
from localcloud.engine.protocol import provider_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.engine.processes import Child
    from localcloud.engine.values import PropertyMap


class ProviderError(Exception):
    """A provider call failed; the message is the provider's own."""


class InitializationError(ProviderError):
    """The resource exists, but its provider says that it is not right yet: a partial failure."""

    def __init__(self, message: str, identity: str, properties: PropertyMap, inputs: PropertyMap | None) -> None:
        super().__init__(message)
        self.identity = identity
        self.properties = properties
        self.inputs = inputs
        self.reasons: list[str] = []


class Plugin:
    """A started provider process with its connection."""

    def __init__(self, label: str, child: Child, on_line: Callable[[str], None]) -> None:
        """Wait for the port on the first line of output. Raises ProviderError when none comes."""
        self.label = label
        self.child = child
        first = child.stdout.readline().decode(errors="replace").strip()
        self._drain = Drain(child, on_line)
        if not first.isdigit():
            status = child.wait(1)
            tail = self._drain.finish()
            raise ProviderError(f"The {label} provider did not start (exit status {status}): {first or tail}")
        self.channel = protocol.channel(int(first))
        self._stub = protocol.Stub(self.channel, protocol.RESOURCE_PROVIDER)

    def call(self, method: str, request: Any, timeout_s: float | None = None) -> Any:
        """Make a call; None when the provider does not implement it. Raises ProviderError."""
        try:
            return self._stub.call(method, request, timeout_s)
        except grpc.RpcError as error:
            return self._failure(method, error)
        except ValueError as error:
            raise ProviderError(f"The {self.label} provider was stopped: {error}") from error

    def _failure(self, method: str, error: Any) -> None:
        code, details = error.code(), error.details() or ""
        if code == grpc.StatusCode.UNIMPLEMENTED:
            return
        partial = _partial_failure(error)
        if partial is not None:
            raise partial from error
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            status = self.child.wait(1)
            if status is not None:
                tail = self._drain.finish()
                raise ProviderError(
                    f"The {self.label} provider ended during {method} (exit status {status})\n{tail}".rstrip()
                ) from error
        raise ProviderError(without_traceback(details) or f"{method} failed with {code.name}") from error

    def close(self) -> None:
        """Close the connection; the process is stopped by whoever started it."""
        self.channel.close()


def without_traceback(text: str) -> str:
    """Return what a Python provider's traceback ends with: the exception and its message."""
    _, mark, block = text.rpartition("Traceback (most recent call last):\n")
    if not mark:
        return text
    lines = block.splitlines()
    start = next((number for number, line in enumerate(lines) if line and not line.startswith(" ")), None)
    return text if start is None else "\n".join(lines[start:])


def _partial_failure(error: Any) -> InitializationError | None:
    for key, raw in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in protocol.status_pb2.Status.FromString(raw).details:
                if detail.type_url.endswith("pulumirpc.ErrorResourceInitFailed"):
                    found = provider_pb2.ErrorResourceInitFailed.FromString(detail.value)
                    inputs = wire.from_struct(found.inputs) if found.HasField("inputs") else None
                    result = InitializationError(
                        error.details() or "The resource was not initialized",
                        found.id,
                        wire.from_struct(found.properties),
                        inputs,
                    )
                    result.reasons = list(found.reasons)
                    return result
    return None
