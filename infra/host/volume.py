"""A block storage volume, mounted where the workload keeps its data, and the directories on it."""

from __future__ import annotations

__all__ = ["DataVolume"]

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Resource

from infra.commands import acts
from infra.host.resource import HostProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, ResourceOptions


class DataVolumeProvider(HostProvider):
    """Makes a file system only on a device that holds none, and never removes one."""

    subject = "data volume"
    phase = "volume"

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for the mount, the device and the directories."""
        found: dict[str, dict[str, Any]] = {
            "mount": {"kind": "mount", "path": spec["mount"]},
        }
        for each in spec["directories"]:
            found[f"directory {each['path']}"] = {"kind": "file", "path": f"{spec['mount']}/{each['path']}"}
        return found

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Format what is blank, mount, and make the directories."""
        steps: list[acts.Act] = []
        path = spec["mount"]
        if not facts["mount"]["source"]:
            steps.append(acts.mount(f"nothing is mounted at {path}", path, _device(spec)))
        for each in spec["directories"]:
            # Under a mount that is yet to come, what is there now tells nothing.
            if steps or not facts[f"directory {each['path']}"]["exists"]:
                why = f"{path}/{each['path']} is missing"
                place = f"{path}/{each['path']}"
                steps.append(acts.directory(why, place, owner=_text(each), mode=each["mode"], keep=True))
        return steps

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return what is mounted."""
        del spec
        return {"source": facts["mount"]["source"]}


class DataVolume(Resource, module="greenroom", name="DataVolume"):
    """A volume mounted at `mount`, with directories made on it; their owners are the containers' business later."""

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        volume: Input[str],
        mount: Input[str],
        directories: Sequence[Mapping[str, Any]] = (),
        opts: ResourceOptions | None = None,
    ) -> None:
        props = {
            "connection": connection,
            "volume": volume,
            "mount": mount,
            "directories": [dict(each) for each in directories],
            "source": None,
        }
        super().__init__(DataVolumeProvider(), name, props, opts)


def _device(spec: dict[str, Any]) -> str:
    return f"/dev/disk/by-id/scsi-0DO_Volume_{spec['volume']}"


def _text(entry: dict[str, Any]) -> str:
    """Return an owner as text; a number arrives from the engine as a double."""
    owner = entry["owner"]
    return str(int(owner)) if isinstance(owner, float | int) else str(owner)
