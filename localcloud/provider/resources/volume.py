"""Block storage volumes. Names are unique in a region; a volume grows, but never shrinks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.provider.checks import Failure
from localcloud.provider.diffs import changed_names
from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.resources.common import given, once_idle, retag
from localcloud.provider.states import align

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties


class Volume(Resource):
    """A disk that outlives droplets."""

    kind = "digitalocean:index/volume:Volume"

    def rules(self, inputs: Properties) -> Iterator[Failure]:
        """Take the file system type from one property."""
        if inputs.get("filesystemType") and inputs.get("initialFilesystemType"):
            yield Failure("filesystemType", "conflicts with initialFilesystemType; take it out")

    def forbids(self, state: Properties, wanted: Properties) -> str:
        """Refuse to shrink."""
        have, want = state.get("size"), wanted.get("size")
        if isinstance(have, int) and isinstance(want, int) and want < have:
            return f"size can grow, but not shrink from {have} to {want} GiB"
        return ""

    def create(self, session: Session, inputs: Properties) -> Created:
        """Create it, or adopt the one of this name and region when the answer got lost."""
        body = request(inputs)

        def made() -> dict[str, Any] | None:
            named = {"name": body["name"], "region": body["region"]}
            return next(({"volume": each} for each in session.pages("volumes.list", "volumes", **named)), None)

        volume = session.create("volumes.create", made, body=body)["volume"]
        return Created(volume["id"], self._outputs(volume, self.record(inputs)))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it."""
        answer = session.find("volumes.get", volume_id=identity)
        return None if answer is None else self._outputs(answer["volume"], known)

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Grow it and change its tags."""
        changed = changed_names(self, state, inputs)
        what = f"Volume {inputs['name']} ({identity})"
        if "size" in changed:
            body = {"type": "resize", "size_gigabytes": inputs["size"], "region": inputs["region"].lower()}

            def act() -> dict[str, Any]:
                return session.post("volume_actions.post_by_id", volume_id=identity, body=body)

            session.finish(once_idle(session, f"{what}: an event is pending", act)["action"], f"{what} is resized")
        if "tags" in changed:
            retag(session, "volume", identity, state.get("tags") or [], inputs.get("tags") or [])
        return self.outputs(session, identity, inputs)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Delete it with all its data."""
        del state
        session.delete("volumes.delete", volume_id=identity)

    def _outputs(self, volume: dict[str, Any], known: Properties) -> Properties:
        return known | align(self.shape, properties(volume), known)


def request(inputs: Properties) -> dict[str, Any]:
    """Write the create request."""
    body = given(
        inputs,
        {
            "name": "name",
            "description": "description",
            "tags": "tags",
            "region": "region",
            "size": "size_gigabytes",
            "snapshotId": "snapshot_id",
            "filesystemType": "filesystem_type",
            "initialFilesystemType": "filesystem_type",
            "initialFilesystemLabel": "filesystem_label",
        },
    )
    return body | {"region": body["region"].lower()}


def properties(volume: dict[str, Any]) -> Properties:
    """Read the API's object."""
    seen: Properties = {
        "name": volume["name"],
        "region": (volume.get("region") or {}).get("slug", ""),
        "size": volume["size_gigabytes"],
        "volumeUrn": f"do:volume:{volume['id']}",
        "tags": [tag for tag in volume.get("tags") or [] if tag],
        "dropletIds": list(volume.get("droplet_ids") or []),
    }
    texts = {"filesystemType": "filesystem_type", "filesystemLabel": "filesystem_label", "description": "description"}
    return seen | {ours: volume[theirs] for ours, theirs in texts.items() if volume.get(theirs)}
