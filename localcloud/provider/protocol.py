"""The generated protocol modules of the Pulumi wheel, without the import of `pulumi` itself.

Importing `pulumi.runtime.proto` runs `pulumi/__init__.py`, which costs ten times what the generated modules do. They
refer to one another by relative imports only, so a package object whose search path is their folder is all they need.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

_PACKAGE = "localcloud.provider._generated"

if TYPE_CHECKING:
    from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
else:

    def _load(name: str) -> ModuleType:
        if _PACKAGE not in sys.modules:
            wheel = find_spec("pulumi")
            if wheel is None or wheel.origin is None:
                raise ModuleNotFoundError("The pulumi package is not installed", name="pulumi")
            package = ModuleType(_PACKAGE)
            package.__path__ = [str(Path(wheel.origin).parent / "runtime" / "proto")]
            sys.modules[_PACKAGE] = package
        return importlib.import_module(f"{_PACKAGE}.{name}")

    plugin_pb2 = _load("plugin_pb2")
    provider_pb2 = _load("provider_pb2")
    provider_pb2_grpc = _load("provider_pb2_grpc")
    status_pb2 = _load("status_pb2")

__all__ = ["plugin_pb2", "provider_pb2", "provider_pb2_grpc", "status_pb2"]
