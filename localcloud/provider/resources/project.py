"""Projects. Resources never leave a project for nowhere: what a project gives up goes to the default project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from localcloud.provider.diffs import changed_names
from localcloud.provider.errors import ApiError, PartialError, ProviderError
from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.resources.common import given
from localcloud.provider.states import align

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties

_NOT_EMPTY = 412
_FIELDS = {"name": "name", "purpose": "purpose", "description": "description", "environment": "environment"}


class Project(Resource):
    """A group of resources in the control panel."""

    kind = "digitalocean:index/project:Project"
    delete_s = 180.0
    moving: ClassVar[dict[str, frozenset[str]]] = {
        name: frozenset({"updatedAt"}) for name in (*_FIELDS, "isDefault", "resources")
    }

    def create(self, session: Session, inputs: Properties) -> Created:
        """Create it, or adopt the one of this name when the answer got lost; then move its resources in."""
        body = given(inputs, _FIELDS)

        def made() -> dict[str, Any] | None:
            named = (each for each in session.pages("projects.list", "projects") if each["name"] == body["name"])
            return next(({"project": each} for each in named), None)

        identity = session.create("projects.create", made, body=body)["project"]["id"]
        try:
            assign(session, identity, inputs.get("resources") or [])
            if inputs.get("isDefault"):
                session.put("projects.update", project_id=identity, body=_whole(inputs))
        except ProviderError as error:
            raise PartialError(identity, error) from error
        return Created(identity, self.outputs(session, identity, inputs))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it and what is in it."""
        answer = session.find("projects.get", project_id=identity)
        if answer is None:
            return None
        inside = members(session, identity, known.get("resources") or [])
        return known | align(self.shape, properties(answer["project"]) | {"resources": inside}, known)

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Change its texts; move resources in, and out to the default project."""
        changed = changed_names(self, state, inputs)
        if changed - {"resources"}:
            session.put("projects.update", project_id=identity, body=_whole(inputs))
        if "resources" in changed:
            exchange(session, identity, state.get("resources") or [], inputs.get("resources") or [])
        return self.outputs(session, identity, inputs)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Hand its resources to the default project and delete it; moving them takes the API a moment."""
        del state
        if session.find("projects.get", project_id=identity) is None:
            return
        release(session, members(session, identity))

        def attempt() -> bool | None:
            try:
                session.delete("projects.delete", project_id=identity)
            except ApiError as error:
                if error.status != _NOT_EMPTY:
                    raise
                return None
            return True

        session.wait(f"Project {identity} still has resources", attempt)


def members(session: Session, identity: str, known: Iterable[str] = ()) -> list[str]:
    """List the URNs of a project's resources, in the spelling of the known ones: reserved IPs have two."""
    spelled = {_one_spelling(urn): urn for urn in known}
    listed: list[str] = [
        each["urn"] for each in session.pages("projects.list_resources", "resources", project_id=identity)
    ]
    return [spelled.get(_one_spelling(urn), urn) for urn in listed]


def _one_spelling(urn: str) -> str:
    return urn.replace("do:floatingip:", "do:reservedip:")


def assign(session: Session, identity: str, urns: Iterable[str]) -> None:
    """Move resources into a project."""
    moving = [urn for urn in urns if urn]
    if moving:
        session.put("projects.assign_resources", project_id=identity, body={"resources": moving})


def release(session: Session, urns: Iterable[str]) -> None:
    """Move resources to the default project."""
    moving = list(urns)
    if moving:
        assign(session, session.read("projects.get_default")["project"]["id"], moving)


def exchange(session: Session, identity: str, have: Iterable[str], want: Iterable[str]) -> None:
    """Make a project hold what is wanted of what it has and what it lacks."""
    old, new = set(have), set(want)
    release(session, sorted(old - new))
    assign(session, identity, sorted(new - old))


def properties(project: dict[str, Any]) -> Properties:
    """Read the API's object."""
    return {
        "name": project["name"],
        "description": project.get("description") or "",
        "purpose": (project.get("purpose") or "").removeprefix("Other: "),
        "environment": project.get("environment") or "",
        "isDefault": bool(project.get("is_default", False)),
        "ownerUuid": project.get("owner_uuid") or "",
        "ownerId": project.get("owner_id") or 0,
        "createdAt": project.get("created_at") or "",
        "updatedAt": project.get("updated_at") or "",
    }


def _whole(inputs: Properties) -> dict[str, Any]:
    texts = {theirs: inputs.get(ours, "") for ours, theirs in _FIELDS.items()}
    return texts | {"is_default": bool(inputs.get("isDefault", False))}
