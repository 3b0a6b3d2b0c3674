"""Reserved IP addresses, with the droplet that one may point to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.provider.errors import ApiError, OutcomeUnknownError, PartialError, ProviderError
from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.resources.common import once_idle

if TYPE_CHECKING:
    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties


class ReservedIp(Resource):
    """An address that stays when droplets go."""

    kind = "digitalocean:index/reservedIp:ReservedIp"

    def create(self, session: Session, inputs: Properties) -> Created:
        """Reserve an address, and assign it if the program names a droplet."""

        def made() -> dict[str, Any] | None:
            free = [
                each["ip"] for each in session.pages("reserved_ips.list", "reserved_ips") if each.get("droplet") is None
            ]
            if not free:
                return None
            raise OutcomeUnknownError(
                f"Reserved IP in {inputs['region']}: the answer to its creation got lost; it may be {', '.join(free)}",
                hint="release the unassigned addresses that nothing needs, then run the command again",
            )

        body = {"region": inputs["region"].lower()}
        identity = session.create("reserved_ips.create", made, body=body)["reserved_ip"]["ip"]
        if inputs.get("dropletId"):
            try:
                assign(session, identity, inputs["dropletId"])
            except ProviderError as error:
                raise PartialError(identity, error) from error
        return Created(identity, self.outputs(session, identity, inputs))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it. The droplet is told only where the program chose it here: else an assignment of its own holds it."""
        answer = session.find("reserved_ips.get", reserved_ip=identity)
        if answer is None:
            return None
        seen = properties(answer["reserved_ip"])
        if not known.get("dropletId"):  # the official provider records null where there is none
            seen.pop("dropletId", None)
        return seen

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Assign it to another droplet, or to none."""
        wanted = inputs.get("dropletId")
        if wanted and wanted != state.get("dropletId"):
            assign(session, identity, wanted)
        elif not wanted:
            unassign(session, identity)
        return self.outputs(session, identity, inputs)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Unassign and release it."""
        if state.get("dropletId"):
            unassign(session, identity)
        session.delete("reserved_ips.delete", reserved_ip=identity)


def holder(session: Session, address: str) -> int | None:
    """Tell the droplet that an address is assigned to."""
    answer = session.find("reserved_ips.get", reserved_ip=address) or {}
    return ((answer.get("reserved_ip") or {}).get("droplet") or {}).get("id")


def assign(session: Session, address: str, droplet: int) -> None:
    """Assign an address to a droplet; that it is so already is as good."""
    what = f"Reserved IP {address} is assigned to droplet {droplet}"
    body = {"type": "assign", "droplet_id": droplet}
    if holder(session, address) == droplet:
        return

    def act() -> dict[str, Any]:
        return session.post("reserved_ips_actions.post", reserved_ip=address, body=body)

    try:
        session.finish(once_idle(session, f"{what}: the droplet has a pending event", act)["action"], what)
    except OutcomeUnknownError:
        if holder(session, address) != droplet:
            raise


def unassign(session: Session, address: str) -> None:
    """Take an address off its droplet; that it has none is as good."""
    if holder(session, address) is None:
        return
    what = f"Reserved IP {address} is unassigned"

    def act() -> dict[str, Any]:
        return session.post("reserved_ips_actions.post", reserved_ip=address, body={"type": "unassign"})

    try:
        session.finish(once_idle(session, f"{what}: the droplet has a pending event", act)["action"], what)
    except (ApiError, OutcomeUnknownError):
        if holder(session, address) is not None:
            raise


def properties(reserved: dict[str, Any]) -> Properties:
    """Read the API's object."""
    droplet = reserved.get("droplet") or {}
    region = droplet.get("region") or reserved.get("region") or {}
    seen: Properties = {
        "ipAddress": reserved["ip"],
        "region": region.get("slug", ""),
        "reservedIpUrn": f"do:reservedip:{reserved['ip']}",
    }
    if droplet.get("id"):
        seen["dropletId"] = droplet["id"]
    return seen
