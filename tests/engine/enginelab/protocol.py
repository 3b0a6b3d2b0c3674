"""The provider protocol's generated modules, without the second of imports that the SDK's front door costs.

A plugin starts once per run of every scenario, so the parent packages are entered into `sys.modules` as bare
namespaces: only the generated files below `pulumi/runtime/proto` are executed.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

SECRET = "1b47061264138c4ac30d75fd1eb44270"
SIGNATURE = "4dabf18193072939515e22adb298388d"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def load(module: str) -> Any:
    """Import one generated module, such as `provider_pb2`, on its own."""
    _bare("pulumi")
    _bare("pulumi.runtime")
    return importlib.import_module(f"pulumi.runtime.proto.{module}")


def plain(struct: Any) -> dict[str, Any]:
    """Give a `Struct` as Python data; integral numbers become `int`."""
    return {key: _value(value) for key, value in struct.fields.items()}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return plain(value.struct_value)
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return getattr(value, kind) if kind in {"string_value", "bool_value"} else None


def _bare(package: str) -> None:
    if package in sys.modules:
        return
    parent, _, leaf = package.rpartition(".")
    if parent:
        path = Path(next(iter(sys.modules[parent].__path__))) / leaf
    else:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            message = f"{package} is not installed"
            raise ImportError(message)
        path = Path(spec.origin).parent
    module = ModuleType(package)
    module.__path__ = [str(path)]
    sys.modules[package] = module
