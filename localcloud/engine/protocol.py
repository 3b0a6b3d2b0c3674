"""The generated protocol modules of the Pulumi wheel, without the cost of the SDK around them.

`import pulumi.runtime.proto` runs the whole SDK's `__init__` (a quarter of a second); the engine needs only the message
classes. They are loaded as a package of their own from the same files. Services are described by their descriptors, so
neither servicer classes nor stubs are needed.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import message_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.descriptor import ServiceDescriptor

_PACKAGE = "localcloud.engine._wire"
LARGEST_MESSAGE_BYTES = 400 * 1024 * 1024
OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE_BYTES),
    ("grpc.max_send_message_length", LARGEST_MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),
]


def _load(name: str) -> Any:
    if _PACKAGE not in sys.modules:
        spec = importlib.util.find_spec("pulumi")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("The pulumi package is not installed")
        location = str(Path(spec.submodule_search_locations[0]) / "runtime" / "proto")
        package_spec = importlib.machinery.ModuleSpec(_PACKAGE, None, is_package=True)
        package_spec.submodule_search_locations = [location]
        sys.modules[_PACKAGE] = importlib.util.module_from_spec(package_spec)
    return importlib.import_module(f"{_PACKAGE}.{name}")


resource_pb2: Any = _load("resource_pb2")
provider_pb2: Any = _load("provider_pb2")
engine_pb2: Any = _load("engine_pb2")
status_pb2: Any = _load("status_pb2")

RESOURCE_MONITOR: ServiceDescriptor = resource_pb2.DESCRIPTOR.services_by_name["ResourceMonitor"]
RESOURCE_PROVIDER: ServiceDescriptor = provider_pb2.DESCRIPTOR.services_by_name["ResourceProvider"]
ENGINE: ServiceDescriptor = engine_pb2.DESCRIPTOR.services_by_name["Engine"]


def message_class(descriptor: Any) -> Any:
    """Return the class of a message descriptor."""
    return message_factory.GetMessageClass(descriptor)


def handlers(service: ServiceDescriptor, methods: Mapping[str, Callable[[Any, Any], Any]]) -> grpc.GenericRpcHandler:
    """Serve the named unary methods of a service; all others are answered UNIMPLEMENTED by gRPC."""
    return grpc.method_handlers_generic_handler(
        service.full_name,
        {
            name: grpc.unary_unary_rpc_method_handler(
                method,
                request_deserializer=message_class(service.methods_by_name[name].input_type).FromString,
                response_serializer=_serialize,
            )
            for name, method in methods.items()
        },
    )


def _serialize(message: Any) -> bytes:
    return message.SerializeToString()


class Stub:
    """Calls a service's unary methods over a channel: `stub.call("Check", request)`."""

    def __init__(self, channel: grpc.Channel, service: ServiceDescriptor) -> None:
        self._channel = channel
        self._service = service
        self._calls: dict[str, Any] = {}

    def call(self, method: str, request: Any, timeout_s: float | None = None) -> Any:
        """Make the call and wait. Raises grpc.RpcError."""
        if method not in self._calls:
            descriptor = self._service.methods_by_name[method]
            self._calls[method] = self._channel.unary_unary(
                f"/{self._service.full_name}/{method}",
                request_serializer=_serialize,
                response_deserializer=message_class(descriptor.output_type).FromString,
            )
        return self._calls[method](request, timeout=timeout_s)


def channel(port: int) -> grpc.Channel:
    """Open a channel to a plugin on this machine."""
    return grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS)
