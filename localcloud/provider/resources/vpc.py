"""VPCs. Names are unique in an account; a VPC can go only after its last member went."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from localcloud.provider.errors import ApiError
from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.resources.common import given

if TYPE_CHECKING:
    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties

_STILL_IN_USE = (403, 409)


class Vpc(Resource):
    """A private network of one region."""

    kind = "digitalocean:index/vpc:Vpc"
    delete_s = 120.0

    def create(self, session: Session, inputs: Properties) -> Created:
        """Create it, or adopt the one of this name, region and range when the answer got lost."""
        body = request(inputs)

        def made() -> dict[str, Any] | None:
            same = (vpc for vpc in session.pages("vpcs.list", "vpcs") if body.items() <= vpc.items())
            return next(({"vpc": vpc} for vpc in same), None)

        vpc = session.create("vpcs.create", made, body=body)["vpc"]
        return Created(vpc["id"], self.record(inputs) | properties(vpc))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it."""
        answer = session.find("vpcs.get", vpc_id=identity)
        return None if answer is None else known | properties(answer["vpc"])

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Rename it or change its description."""
        body = {
            "name": inputs["name"],
            "description": inputs.get("description", ""),
            "default": bool(state.get("default", False)),
        }
        vpc = session.put("vpcs.update", vpc_id=identity, body=body)["vpc"]
        return self.record(inputs) | properties(vpc)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Delete it, waiting for members that are on their way out; the default VPC of a region can't be deleted."""

        def attempt() -> bool | None:
            try:
                session.delete("vpcs.delete", vpc_id=identity)
            except ApiError as error:
                if error.status not in _STILL_IN_USE or state.get("default"):
                    raise
                return None
            return True

        session.wait(f"VPC {identity} still has members", attempt)


def request(inputs: Properties) -> dict[str, Any]:
    """Write the create request."""
    names = {"name": "name", "region": "region", "ipRange": "ip_range", "description": "description"}
    return given(inputs, names)


def properties(vpc: dict[str, Any]) -> Properties:
    """Read the API's object."""
    return {
        "name": vpc["name"],
        "region": vpc["region"],
        "description": vpc.get("description") or "",
        "ipRange": vpc["ip_range"],
        "vpcUrn": vpc.get("urn") or f"do:vpc:{vpc['id']}",
        "default": bool(vpc.get("default", False)),
        "createdAt": _spelled(vpc.get("created_at") or ""),
    }


def _spelled(timestamp: str) -> str:
    """Spell a time as the official provider records it for VPCs: `2026-01-02 03:04:05 +0000 UTC`."""
    if not timestamp:
        return ""
    return datetime.fromisoformat(timestamp).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
