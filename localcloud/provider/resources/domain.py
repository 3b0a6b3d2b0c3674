"""Domains. A domain's identifier is its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.resources.common import given

if TYPE_CHECKING:
    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties


class Domain(Resource):
    """A zone."""

    kind = "digitalocean:index/domain:Domain"

    def create(self, session: Session, inputs: Properties) -> Created:
        """Create it, or adopt it when the answer got lost."""
        name = inputs["name"]
        body = given(inputs, {"name": "name", "ipAddress": "ip_address"})
        session.create("domains.create", lambda: session.find("domains.get", domain_name=name), body=body)
        return Created(name, self.outputs(session, name, inputs))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it."""
        answer = session.find("domains.get", domain_name=identity)
        return None if answer is None else known | properties(answer["domain"])

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Send nothing: every property replaces."""
        del state
        return self.outputs(session, identity, inputs)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Delete it with all its records."""
        del state
        session.delete("domains.delete", domain_name=identity)


def properties(domain: dict[str, Any]) -> Properties:
    """Read the API's object."""
    return {"name": domain["name"], "ttl": domain.get("ttl") or 0, "domainUrn": f"do:domain:{domain['name']}"}
