"""Projects: every resource is in exactly one, the default one unless told otherwise."""

from __future__ import annotations

__all__ = ["ENDPOINTS", "enrol", "ensure_default", "withdraw"]

import re
from typing import TYPE_CHECKING

from localcloud.digitalocean.account import ACCOUNT_UUID
from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import ApiError, not_found, precondition_failed, unprocessable

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

OWNER_ID = 258_992
ENVIRONMENTS = ("Development", "Staging", "Production")
PURPOSES = (
    "Just trying out DigitalOcean",
    "Class project / Educational purposes",
    "Website or blog",
    "Web Application",
    "Service or API",
    "Mobile Application",
    "Machine learning / AI / Data processing",
    "IoT",
    "Operational / Developer tooling",
)
URN = re.compile(r"do:(?P<kind>[a-z]+):(?P<id>.+)")
API = "https://api.digitalocean.com"
COLLECTIONS = {
    "droplet": ("droplet", "droplets"),
    "volume": ("volume", "volumes"),
    "domain": ("domain", "domains"),
    "floatingip": ("reserved_ip", "floating_ips"),
}
"""Assignable kinds: how the state calls them, and their path."""
SAME = {"reservedip": "floatingip"}
"""The newer word for a kind. Clients get back the word they used."""


def ensure_default(cloud: ControlPlane) -> Document:
    """Return the default project, making it at first use."""
    with cloud.store.transaction():
        for project in cloud.store.all("project"):
            if project["is_default"]:
                return project
        first = new_project(cloud, "first-project", "Update your project information under Settings")
        return cloud.store.put("project", first["id"], {**first, "is_default": True})


def new_project(cloud: ControlPlane, name: str, description: str, purpose: str = "", environment: str = "") -> Document:
    """Return a project that is not stored yet."""
    now = cloud.now()
    return {
        "id": cloud.new_uuid(),
        "owner_uuid": ACCOUNT_UUID,
        "owner_id": OWNER_ID,
        "name": name,
        "description": description,
        "purpose": purpose,
        "environment": environment,
        "is_default": False,
        "created_at": now,
        "updated_at": now,
    }


def enrol(cloud: ControlPlane, urn: str, project_id: str = "") -> None:
    """Put a new resource into a project; 422 when there is no such project."""
    project = cloud.store.get("project", project_id) if project_id else ensure_default(cloud)
    if project is None:
        raise unprocessable(f"Project does not exist: {project_id}")
    cloud.store.put("membership", urn, {"urn": urn, "project_id": project["id"], "assigned_at": cloud.now()})


def withdraw(cloud: ControlPlane, urn: str) -> None:
    """Take a destroyed resource out of its project."""
    cloud.store.remove("membership", urn)


def render(project: Document) -> Document:
    """Return the project as the API shows it: an unset environment is left out."""
    return {name: value for name, value in project.items() if name != "environment" or value}


def find(call: Call) -> Document:
    """Return the project of the path; 404 when there is none."""
    number = call.path.get("project_id", "default")
    project = ensure_default(call.cloud) if number == "default" else call.cloud.store.get("project", number)
    if project is None:
        raise not_found()
    return project


def stored_purpose(purpose: str) -> str:
    """Return a purpose as it is kept: one of the list, or marked as another."""
    known = purpose in PURPOSES or not purpose or purpose.startswith("Other: ")
    return purpose if known else f"Other: {purpose}"


def check_name(cloud: ControlPlane, name: str, own_id: str = "") -> str:
    """Return the name; 409 when another project has it."""
    if any(project["id"] != own_id for project in cloud.store.where("project", "name", name)):
        raise ApiError(409, f"project name must be unique: {name!r}")
    return name


def index(call: Call) -> Reply:
    """List the projects."""
    ensure_default(call.cloud)
    return page(call, "projects", call.cloud.store.all("project"), render)


def create(call: Call) -> Reply:
    """Make a project."""
    ensure_default(call.cloud)
    name = check_name(call.cloud, call.body.text("name", longest=175))
    purpose = stored_purpose(call.body.text("purpose", longest=255))
    description = call.body.text("description", "", longest=255)
    environment = environment_of(call)
    call.body.accept("is_default")
    project = new_project(call.cloud, name, description, purpose, environment)
    return Reply({"project": render(call.cloud.store.put("project", project["id"], project))}, 201)


def environment_of(call: Call, default: str = "") -> str:
    """Return the environment asked for, spelled as the API spells it."""
    wanted = call.body.text("environment", default)
    if wanted.title() not in (*ENVIRONMENTS, ""):
        raise unprocessable("environment must be one of Development, Staging or Production")
    return wanted.title()


def show(call: Call) -> Reply:
    """Show a project."""
    return Reply({"project": render(find(call))})


def change(call: Call) -> Reply:
    """Change a project; what is null or absent stays as it is."""
    project, body = find(call), call.body
    project["name"] = check_name(call.cloud, body.text("name", project["name"], longest=175), project["id"])
    project["description"] = body.text("description", project["description"], longest=255)
    project["purpose"] = stored_purpose(body.text("purpose", project["purpose"], longest=255))
    project["environment"] = environment_of(call, project["environment"])
    project["updated_at"] = call.cloud.now()
    if body.flag("is_default", default=project["is_default"]) and not project["is_default"]:
        before = ensure_default(call.cloud)
        call.cloud.store.put("project", before["id"], {**before, "is_default": False})
        project["is_default"] = True
    return Reply({"project": render(call.cloud.store.put("project", project["id"], project))})


def delete(call: Call) -> Reply:
    """Remove a project; 412 while it holds something or is the default."""
    project = find(call)
    if project["is_default"]:
        raise precondition_failed("cannot delete the default project")
    if call.cloud.store.where("membership", "project_id", project["id"]):
        raise precondition_failed("cannot delete a project with resources")
    call.cloud.store.remove("project", project["id"])
    return Reply(status=204)


def render_member(member: Document, status: str = "ok") -> Document:
    """Return a project's resource as the API shows it."""
    kind, number = split_urn(member["urn"])
    return {
        "urn": member["urn"],
        "assigned_at": member["assigned_at"],
        "links": {"self": f"{API}/v2/{COLLECTIONS[kind][1]}/{number}"},
        "status": status,
    }


def split_urn(urn: str) -> tuple[str, str]:
    """Return kind and id of a URN; 400 when it is none or names a kind that has no project."""
    match = URN.fullmatch(urn)
    kind = SAME.get(match["kind"], match["kind"]) if match else ""
    if match is None or kind not in COLLECTIONS:
        raise ApiError(400, f"resource types must be one of the following: {', '.join(COLLECTIONS)}; got {urn!r}")
    return kind, match["id"]


def members(call: Call) -> Reply:
    """List what a project holds."""
    return page(call, "resources", call.cloud.store.where("membership", "project_id", find(call)["id"]), render_member)


def assign(call: Call) -> Reply:
    """Move resources into a project."""
    project, cloud = find(call), call.cloud
    answer: list[Document] = []
    for urn in call.body.texts("resources"):
        kind, number = split_urn(urn)
        key = f"do:{kind}:{number}"
        known = cloud.store.get("membership", key)
        if cloud.store.get(COLLECTIONS[kind][0], number) is None:
            answer.append(render_member({"urn": urn, "assigned_at": cloud.now()}, "not_found"))
        elif known and known["project_id"] == project["id"]:
            answer.append(render_member({**known, "urn": urn}, "already_assigned"))
        else:
            member = {"urn": urn, "project_id": project["id"], "assigned_at": cloud.now()}
            answer.append(render_member(cloud.store.put("membership", key, member), "assigned"))
    return Reply({"resources": answer})


ENDPOINTS = (
    Endpoint("GET", "/v2/projects", index),
    Endpoint("POST", "/v2/projects", create),
    Endpoint("GET", "/v2/projects/{project_id}", show),
    Endpoint("PUT", "/v2/projects/{project_id}", change),
    Endpoint("PATCH", "/v2/projects/{project_id}", change),
    Endpoint("DELETE", "/v2/projects/{project_id}", delete),
    Endpoint("GET", "/v2/projects/{project_id}/resources", members),
    Endpoint("POST", "/v2/projects/{project_id}/resources", assign),
)
