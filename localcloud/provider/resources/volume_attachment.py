"""Attachments of volumes to droplets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.resources.common import link_identity
from localcloud.provider.resources.droplet_changes import move

if TYPE_CHECKING:
    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties


class VolumeAttachment(Resource):
    """One volume on one droplet."""

    kind = "digitalocean:index/volumeAttachment:VolumeAttachment"

    def create(self, session: Session, inputs: Properties) -> Created:
        """Attach the volume."""
        _attach(session, inputs)
        return Created(link_identity(inputs["dropletId"], inputs["volumeId"]), self.record(inputs))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it: a volume that is elsewhere means that the attachment is gone."""
        del identity
        return known if known["dropletId"] in _holders(session, known["volumeId"]) else None

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Attach again what an earlier run left half done; every property replaces."""
        del identity, state
        _attach(session, inputs)
        return self.record(inputs)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Detach the volume."""
        del identity
        if state["dropletId"] in _holders(session, state["volumeId"]):
            move(session, state["dropletId"], state["volumeId"], "detach", f"Droplet {state['dropletId']}")


def _holders(session: Session, volume: str) -> list[int]:
    answer = session.find("volumes.get", volume_id=volume) or {}
    return (answer.get("volume") or {}).get("droplet_ids") or []


def _attach(session: Session, inputs: Properties) -> None:
    if inputs["dropletId"] not in _holders(session, inputs["volumeId"]):
        move(session, inputs["dropletId"], inputs["volumeId"], "attach", f"Droplet {inputs['dropletId']}")
