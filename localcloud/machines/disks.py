"""Block storage: volumes that outlive droplets, and which droplet has which.

A volume is a Docker volume that no container refers to: it is mounted in a droplet while that runs, and again before
anything else starts at every boot. What is attached where is kept in a file of the cloud, and named on the droplet's
own disk so that its boot waits for it.
"""

from __future__ import annotations

__all__ = ["Disks", "remove_volume"]

import io
import json
import tarfile
import threading
from typing import TYPE_CHECKING

import docker.errors

from localcloud.machines.engine import client
from localcloud.machines.privilege import graft

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from localcloud.machines.names import Names
    from localcloud.machines.spec import VolumeMount

MARK = "var/lib/greenroom/volumes"


class Disks:
    """The volumes of one cloud."""

    def __init__(self, names: Names, record: Path) -> None:
        self._names = names
        self._record = record
        self._lock = threading.RLock()

    def create(self, volume_id: str, size_gib: int) -> None:
        """Make an empty volume; the size is noted, the machine's own disk is the limit."""
        client().api.create_volume(
            self._names.volume(volume_id), labels=self._names.labels("volume", volume=volume_id, size_gib=size_gib)
        )

    def delete(self, volume_id: str) -> None:
        """Remove a volume and its content; nothing happens when there is none."""
        remove_volume(self._names.volume(volume_id))

    def assign(self, droplet_id: int, mounts: Iterable[VolumeMount]) -> None:
        """Note all the volumes of a droplet, and mark its disk; they are mounted by `mount`."""
        with self._lock:
            wanted = {self._names.volume(mount.volume_id): mount.path for mount in mounts}
            self._remember(droplet_id, wanted)
            self._mark(droplet_id, wanted)

    def attach(self, droplet_id: int, volume: VolumeMount, *, running: bool) -> None:
        """Give a droplet a volume, at once when it runs."""
        with self._lock:
            wanted = {**self.of(droplet_id), self._names.volume(volume.volume_id): volume.path}
            self._remember(droplet_id, wanted)
            self._mark(droplet_id, wanted)
            if running:
                self.mount(droplet_id)

    def detach(self, droplet_id: int, volume: VolumeMount, *, running: bool) -> None:
        """Take a volume from a droplet, in use or not."""
        with self._lock:
            wanted = self.of(droplet_id)
            wanted.pop(self._names.volume(volume.volume_id), None)
            self._remember(droplet_id, wanted)
            self._mark(droplet_id, wanted)
            if running:
                command = client().api.exec_create(
                    self._names.droplet(droplet_id), ["umount", "--lazy", volume.path], stdout=True, stderr=True
                )
                client().api.exec_start(command["Id"])

    def mount(self, droplet_id: int) -> None:
        """Mount a droplet's volumes where it runs, and let its boot go on; UnsupportedError where the kernel can't."""
        mounts = self.of(droplet_id)
        if mounts:
            process = client().api.inspect_container(self._names.droplet(droplet_id))["State"]["Pid"]
            graft(int(process), mounts)

    def of(self, droplet_id: int) -> dict[str, str]:
        """Return what a droplet has: Docker volume -> path."""
        return self._load().get(str(droplet_id), {})

    def forget(self, droplet_id: int) -> None:
        """Drop what was noted of a droplet; its volumes stay."""
        with self._lock:
            self._remember(droplet_id, {})

    def _load(self) -> dict[str, dict[str, str]]:
        try:
            return json.loads(self._record.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}

    def _remember(self, droplet_id: int, mounts: dict[str, str]) -> None:
        content = self._load()
        content.pop(str(droplet_id), None)
        if mounts:
            content[str(droplet_id)] = mounts
        self._record.parent.mkdir(parents=True, exist_ok=True)
        draft = self._record.with_suffix(".draft")
        draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
        draft.replace(self._record)

    def _mark(self, droplet_id: int, mounts: dict[str, str]) -> None:
        """Name the volumes on the droplet's own disk: its boot waits for them while there are any."""
        content = "".join(f"{path}\n" for path in mounts.values()).encode()
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo(MARK)
            entry.mode, entry.size = 0o644, len(content)
            archive.addfile(entry, io.BytesIO(content))
        client().api.put_archive(self._names.droplet(droplet_id), "/", buffer.getvalue())


def remove_volume(name: str) -> None:
    """Remove a Docker volume, if it is there."""
    try:
        client().api.remove_volume(name, force=True)
    except docker.errors.NotFound:
        return
