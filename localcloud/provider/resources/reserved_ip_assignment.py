"""Assignments of reserved IP addresses to droplets, for addresses that the stack does not own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.provider.errors import ProviderError
from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.resources.common import link_identity
from localcloud.provider.resources.reserved_ip import assign, holder, unassign

if TYPE_CHECKING:
    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties


class ReservedIpAssignment(Resource):
    """One address on one droplet."""

    kind = "digitalocean:index/reservedIpAssignment:ReservedIpAssignment"

    def create(self, session: Session, inputs: Properties) -> Created:
        """Assign the address."""
        assign(session, inputs["ipAddress"], inputs["dropletId"])
        return Created(link_identity(inputs["dropletId"], inputs["ipAddress"]), self.record(inputs))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it: an address that points elsewhere means that the assignment is gone."""
        del identity
        return known if holder(session, known["ipAddress"]) == known["dropletId"] else None

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Assign again what an earlier run left half done; every property replaces."""
        del identity, state
        assign(session, inputs["ipAddress"], inputs["dropletId"])
        return self.record(inputs)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Unassign the address, unless another droplet has it by now."""
        del identity
        if holder(session, state["ipAddress"]) == state["dropletId"]:
            unassign(session, state["ipAddress"])

    def imported(self, identity: str) -> tuple[str, Properties]:
        """Read `ADDRESS,DROPLET`."""
        address, _, droplet = identity.partition(",")
        if not droplet.isdigit():
            raise ProviderError(f"{identity} names no assignment", hint="import it as ADDRESS,DROPLET_ID")
        return link_identity(droplet, address), {"ipAddress": address, "dropletId": int(droplet)}
