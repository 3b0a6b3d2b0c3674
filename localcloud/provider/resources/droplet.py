"""Droplets, as far as inputs, outputs and their lives go; changes in place are in `droplet_changes`.

The API never tells the image that was asked for, the SSH keys or the user data, so state keeps what the program gave:
of user data only its SHA-1.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from localcloud.provider.checks import Failure
from localcloud.provider.errors import PartialError, ProviderError, StillbornError
from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.resources.common import given, once_idle
from localcloud.provider.resources.droplet_changes import act, change, settled
from localcloud.provider.states import align
from localcloud.provider.values import UNKNOWN, Properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.provider.session import Session

_ADOPTABLE = timedelta(minutes=5)
_SIZED = frozenset({"disk", "memory", "vcpus", "priceHourly", "priceMonthly"})


class Droplet(Resource):
    """A virtual machine."""

    kind = "digitalocean:index/droplet:Droplet"
    create_s = 3600.0
    update_s = 3600.0
    delete_s = 600.0
    meta = '{"schema_version":"1"}'
    moving: ClassVar[dict[str, frozenset[str]]] = {"size": _SIZED, "ipv6": frozenset({"ipv6Address"})}

    def rules(self, inputs: Properties) -> Iterator[Failure]:
        """Demand backups for a backup policy."""
        if inputs.get("backupPolicy") and inputs.get("backups") is False:
            yield Failure("backupPolicy", "can only be set when backups are enabled")

    def strays(self, state: Properties) -> tuple[str, ...]:
        """Name the status of a droplet that is switched off: the next update switches it on."""
        return ("status",) if state.get("status") == "off" else ()

    def must_replace(self, name: str, have: Any, want: Any) -> bool:
        """IPv6 can be switched on, but never off."""
        return (name == "ipv6" and bool(have) and want is not UNKNOWN) or super().must_replace(name, have, want)

    def create(self, session: Session, inputs: Properties) -> Created:
        """Create it and wait until it is active, or remove it again where its boot fails.

        When the answer gets lost, the droplet is looked for among the newest of its name.
        """
        body = request(inputs)
        started = datetime.now(UTC)

        def made() -> dict[str, Any] | None:
            return _newest(list(session.pages("droplets.list", "droplets", name=body["name"])), body, started)

        identity = str(session.create("droplets.create", made, body=body)["droplet"]["id"])
        try:
            droplet = settled(
                session, int(identity), f"Droplet {body['name']} ({identity}) is not active yet", "active"
            )
        except StillbornError:
            session.delete("droplets.destroy", droplet_id=int(identity))
            raise
        except ProviderError as error:
            raise PartialError(identity, error) from error
        return Created(identity, self._outputs(droplet, self.record(inputs)))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it."""
        answer = session.find("droplets.get", droplet_id=int(identity))
        return None if answer is None else self._outputs(answer["droplet"], known)

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Change it in place, one event after the other."""
        change(session, self, identity, state, inputs)
        return self.outputs(session, identity, inputs)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Shut it down if asked to, destroy it and wait until it is gone; the API detaches its volumes."""
        number = int(identity)
        what = f"Droplet {state.get('name', '')} ({identity})"
        answer = session.find("droplets.get", droplet_id=number)
        if answer is None:
            return
        if state.get("gracefulShutdown") and answer["droplet"]["status"] == "active":
            act(session, number, f"{what} shuts down", {"type": "shutdown"})

        def destroy() -> dict[str, Any]:
            session.delete("droplets.destroy", droplet_id=number)
            return {}

        once_idle(session, f"{what} has a pending event", destroy)
        session.wait(f"{what} is still there", lambda: session.find("droplets.get", droplet_id=number) is None or None)

    def _outputs(self, droplet: dict[str, Any], known: Properties) -> Properties:
        seen = align(self.shape, properties(droplet), known)
        if "image" not in known:
            image = droplet.get("image") or {}
            seen["image"] = image.get("slug") or str(image.get("id", ""))
        return {"gracefulShutdown": False, "resizeDisk": True} | known | seen


def request(inputs: Properties) -> dict[str, Any]:
    """Write the create request."""
    body = given(
        inputs,
        {
            "name": "name",
            "region": "region",
            "size": "size",
            "backups": "backups",
            "ipv6": "ipv6",
            "monitoring": "monitoring",
            "privateNetworking": "private_networking",
            "tags": "tags",
            "userData": "user_data",
            "vpcUuid": "vpc_uuid",
            "dropletAgent": "with_droplet_agent",
            "backupPolicy": "backup_policy",
        },
    )
    body["image"] = _number_or_text(inputs["image"])
    body["ssh_keys"] = [_number_or_text(key) for key in inputs.get("sshKeys") or []]
    body["volumes"] = [volume for volume in inputs.get("volumeIds") or [] if volume]
    if inputs.get("publicNetworking") is False:
        body["public_networking"] = False
    for name in ("region", "size"):
        if name in body:
            body[name] = body[name].lower()
    return body


def properties(droplet: dict[str, Any]) -> Properties:
    """Read the API's object."""
    size, networks = droplet.get("size") or {}, droplet.get("networks") or {}
    public = _address(networks.get("v4"), "public")
    features = droplet.get("features") or []
    return {
        "name": droplet["name"],
        "dropletUrn": f"do:droplet:{droplet['id']}",
        "region": (droplet.get("region") or {}).get("slug", ""),
        "size": droplet.get("size_slug") or size.get("slug", ""),
        "priceHourly": size.get("price_hourly", 0),
        "priceMonthly": size.get("price_monthly", 0),
        "disk": droplet["disk"],
        "vcpus": droplet["vcpus"],
        "memory": droplet["memory"],
        "status": droplet["status"],
        "locked": droplet["locked"],
        "createdAt": droplet["created_at"],
        "vpcUuid": droplet.get("vpc_uuid") or "",
        "ipv4Address": public,
        "ipv4AddressPrivate": _address(networks.get("v4"), "private"),
        "ipv6Address": _address(networks.get("v6"), "public").lower(),
        "publicNetworking": bool(public),
        "backups": "backups" in features,
        "ipv6": "ipv6" in features,
        "privateNetworking": "private_networking" in features,
        "monitoring": "monitoring" in features,
        "volumeIds": list(droplet.get("volume_ids") or []),
        "tags": [tag for tag in droplet.get("tags") or [] if tag],
    }


def _address(networks: list[dict[str, Any]] | None, kind: str) -> str:
    return next((each["ip_address"] for each in networks or [] if each["type"] == kind), "")


def _number_or_text(value: str) -> int | str:
    return int(value) if value.isdigit() else value


def _newest(droplets: list[dict[str, Any]], body: dict[str, Any], started: datetime) -> dict[str, Any] | None:
    """Find the droplet that a request made whose answer got lost: the only fresh one of its name and size."""
    since = started - _ADOPTABLE
    fresh = [
        droplet
        for droplet in droplets
        if droplet["name"] == body["name"]
        and droplet["size_slug"] == body["size"]
        and datetime.fromisoformat(droplet["created_at"]) >= since
    ]
    if len(fresh) > 1:
        numbers = ", ".join(str(droplet["id"]) for droplet in fresh)
        raise ProviderError(
            f"Droplet {body['name']}: the answer to its creation got lost, and {numbers} could each be it",
            hint=f"delete those that are too many, then import the one that is right (one of {numbers})",
        )
    return {"droplet": fresh[0]} if fresh else None
