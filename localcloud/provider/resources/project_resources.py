"""Memberships of resources in a project that the stack does not own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.resources.project import assign, exchange, members, release

if TYPE_CHECKING:
    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties


class ProjectResources(Resource):
    """Some resources of one project; others in the same project are none of its business."""

    kind = "digitalocean:index/projectResources:ProjectResources"

    def create(self, session: Session, inputs: Properties) -> Created:
        """Move the resources into the project."""
        identity = inputs["project"]
        assign(session, identity, inputs["resources"])
        return Created(identity, self.outputs(session, identity, inputs))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read which of the known resources are still in the project."""
        if session.find("projects.get", project_id=identity) is None:
            return None
        mine: list[str] = known.get("resources") or []
        inside = set(members(session, identity, mine))
        return {"project": identity, "resources": [urn for urn in mine if urn in inside]}

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Move resources in, and those that are no longer wanted to the default project."""
        exchange(session, identity, state.get("resources") or [], inputs["resources"])
        return self.outputs(session, identity, inputs)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Move the resources that are still in the project to the default project."""
        if session.find("projects.get", project_id=identity) is not None:
            mine: list[str] = state.get("resources") or []
            inside = set(members(session, identity, mine))
            release(session, [urn for urn in mine if urn in inside])
