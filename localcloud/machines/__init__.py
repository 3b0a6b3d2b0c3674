"""Droplets that boot: system containers, their images, network and volumes on the local Docker engine.

The vocabulary (`spec`) costs nothing to import; `Machines` brings the Docker client and is loaded when it is asked for.
"""

from __future__ import annotations

__all__ = [
    "DropletPolicy",
    "MachineError",
    "MachineSpec",
    "Machines",
    "NetworkPlan",
    "PublicAddress",
    "Rule",
    "UnsupportedError",
    "VolumeMount",
]

from typing import TYPE_CHECKING, Any

from localcloud.machines.spec import (
    DropletPolicy,
    MachineError,
    MachineSpec,
    NetworkPlan,
    PublicAddress,
    Rule,
    UnsupportedError,
    VolumeMount,
)

if TYPE_CHECKING:
    from localcloud.machines.host import Machines


def __getattr__(name: str) -> Any:
    if name == "Machines":
        from localcloud.machines.host import Machines  # noqa: PLC0415 - loads the Docker client

        return Machines
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
