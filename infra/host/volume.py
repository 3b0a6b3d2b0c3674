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

_OPTIONS = "defaults,nofail,discard,noatime"
_FSTAB = (
    "import os,sys\n"
    "line=sys.argv[1]; path=line.split()[1]\n"
    "old=open('/etc/fstab').read().splitlines() if os.path.exists('/etc/fstab') else []\n"
    "new=[each for each in old if each.split()[1:2]!=[path]]+[line]\n"
    "open('/etc/fstab.greenroom','w').write('\\n'.join(new)+'\\n')\n"
    "os.replace('/etc/fstab.greenroom','/etc/fstab')\n"
)


class DataVolumeProvider(HostProvider):
    """Makes a file system only on a device that holds none, and never removes one."""

    subject = "data volume"
    phase = "volume"

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for the mount, the device and the directories."""
        found: dict[str, dict[str, Any]] = {
            "mount": {"kind": "mount", "path": spec["mount"], "device": _device(spec)},
        }
        for each in spec["directories"]:
            found[f"directory {each['path']}"] = {"kind": "file", "path": f"{spec['mount']}/{each['path']}"}
        return found

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Format what is blank, mount, and make the directories."""
        steps: list[acts.Act] = []
        mount, path, device = facts["mount"], spec["mount"], _device(spec)
        if not mount["mounted"]:
            why = f"nothing is mounted at {path}"
            if mount["device"] and not mount["filesystem"]:
                argv = ["mkfs.ext4", "-q", "-L", spec["volume"][:16], device]
                steps.append(acts.run(why, argv, say=f"make a file system on {device}", code="MKFS_FAILED"))
            if not mount["listed"]:
                line = f"{device} {path} ext4 {_OPTIONS} 0 2"
                steps.append(acts.run(why, ["python3", "-I", "-c", _FSTAB, line], code="MOUNT_FAILED"))
            steps += [
                acts.run(why, ["mkdir", "-p", path], code="MOUNT_FAILED"),
                acts.run(
                    why, ["mount", path], say=f"mount {path}", code="MOUNT_FAILED", hint="ls -l /dev/disk/by-id; dmesg"
                ),
            ]
        for each in spec["directories"]:
            found = facts[f"directory {each['path']}"]
            if not found["exists"]:
                why = f"{path}/{each['path']} is missing"
                steps.append(acts.directory(why, f"{path}/{each['path']}", owner=_text(each), mode=each["mode"]))
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
