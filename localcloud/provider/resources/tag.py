"""Tags. A tag's identifier is its name; making one that exists is no error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.provider.resources.base import Created, Resource

if TYPE_CHECKING:
    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties

_COUNTED = {
    "dropletsCount": "droplets",
    "imagesCount": "images",
    "volumesCount": "volumes",
    "volumeSnapshotsCount": "volume_snapshots",
    "databasesCount": "databases",
}


class Tag(Resource):
    """A label for resources."""

    kind = "digitalocean:index/tag:Tag"

    def create(self, session: Session, inputs: Properties) -> Created:
        """Create it."""
        tag = session.put("tags.create", body={"name": inputs["name"]})["tag"]
        return Created(tag["name"], self.record(inputs) | properties(tag))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it."""
        answer = session.find("tags.get", tag_id=identity)
        return None if answer is None else known | properties(answer["tag"])

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Send nothing: the name replaces."""
        del state
        return self.outputs(session, identity, inputs)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Delete it: whatever carries it is untagged."""
        del state
        session.delete("tags.delete", tag_id=identity)


def properties(tag: dict[str, Any]) -> Properties:
    """Read the API's object."""
    resources = tag.get("resources") or {}
    counts = {ours: (resources.get(theirs) or {}).get("count", 0) for ours, theirs in _COUNTED.items()}
    return {"name": tag["name"], "totalResourceCount": resources.get("count", 0), **counts}
