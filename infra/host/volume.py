"""A block storage volume, mounted where the workload keeps its data, and the directories on it."""

from __future__ import annotations

__all__ = ["DataVolume"]

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Resource

from infra.commands import acts
from infra.host.findings import Finding, of_file
from infra.host.resource import HostProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, ResourceOptions


_REMOUNT = 'mount -o "remount,$1" "$2" || mount -o "remount,bind,$1" "$2"'
"""A bind mount, and a device that is mounted elsewhere too, change their own options only."""
_OPPOSITES = {"ro": "rw", "nosuid": "suid", "nodev": "dev", "noexec": "exec", "sync": "async"}


class DataVolumeProvider(HostProvider):
    """Makes a file system only on a device that holds none, and never removes one."""

    subject = "data volume"
    phase = "volume"

    def prepared(self, spec: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
        """Remember how the volume was mounted on this machine."""
        same = bool(olds) and olds["connection"]["machine"] == spec["connection"]["machine"]
        return {**spec, "options": olds["recorded"].get("options") if same else None}

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
        elif other := _other_options(spec, facts["mount"]):
            wanted, there = other
            why = f"{path} is mounted {there}, not {wanted}"
            argv = ["sh", "-c", _REMOUNT, "remount", _explicit(wanted), path]
            steps.append(acts.run(why, argv, say=f"mount {path} anew", code="MOUNT_FAILED", hint="dmesg | tail"))
        for each in spec["directories"]:
            # Under a mount that is yet to come, what is there now tells nothing.
            if not facts["mount"]["source"] or not facts[f"directory {each['path']}"]["exists"]:
                why = f"{path}/{each['path']} is missing"
                place = f"{path}/{each['path']}"
                steps.append(acts.directory(why, place, owner=_text(each), mode=each["mode"], keep=True))
        return steps

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return what is mounted."""
        del spec
        return {"source": facts["mount"]["source"], "options": facts["mount"].get("options", [])}

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Tell the mount, its options, and each directory that is gone."""
        path, mount = spec["mount"], facts["mount"]
        if not mount["source"]:
            return [Finding(f"nothing is mounted at {path}", _device(spec), "nothing")]
        differing: list[Finding] = []
        if other := _other_options(spec, mount):
            differing.append(Finding(f"{path} is mounted with other options", *other))
        for each in spec["directories"]:
            found = facts[f"directory {each['path']}"]
            if not found["exists"]:
                differing.append(of_file(f"{path}/{each['path']} is missing", "present", "missing", found))
        return differing


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
            "options": None,
        }
        super().__init__(DataVolumeProvider(), name, props, opts)


def _other_options(spec: dict[str, Any], mount: dict[str, Any]) -> tuple[str, str] | None:
    """Return (wanted, there) where the options are not those of the last converge; at first, writable is enough."""
    there = sorted(mount.get("options", []))
    wanted = sorted({*(spec.get("options") or there), "rw"} - {"ro"})
    return (",".join(wanted), ",".join(there)) if there and wanted != there else None


def _explicit(options: str) -> str:
    """Name every option that decides, also where it is off: a remount keeps what it is not told."""
    on = options.split(",")
    return ",".join(name if name in on else opposite for name, opposite in _OPPOSITES.items())


def _device(spec: dict[str, Any]) -> str:
    return f"/dev/disk/by-id/scsi-0DO_Volume_{spec['volume']}"


def _text(entry: dict[str, Any]) -> str:
    """Return an owner as text; a number arrives from the engine as a double."""
    owner = entry["owner"]
    return str(int(owner)) if isinstance(owner, float | int) else str(owner)
