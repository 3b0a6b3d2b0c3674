"""DNS records.

The API keeps names relative to the zone and takes the trailing dot off host names; the official provider puts the dot
back. A fully qualified name or value that means the recorded one is no difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from localcloud.provider.checks import Failure
from localcloud.provider.errors import ProviderError
from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.resources.common import given
from localcloud.provider.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties

_HOSTS = frozenset({"CNAME", "MX", "NS", "SRV", "CAA"})
_REQUIRED = {"MX": ("priority",), "SRV": ("priority", "weight", "port"), "CAA": ("flags", "tag")}
_FIELDS = {
    "name": "name",
    "value": "data",
    "port": "port",
    "priority": "priority",
    "ttl": "ttl",
    "weight": "weight",
    "flags": "flags",
    "tag": "tag",
}


class DnsRecord(Resource):
    """One record of a domain."""

    kind = "digitalocean:index/dnsRecord:DnsRecord"
    moving: ClassVar[dict[str, frozenset[str]]] = {"name": frozenset({"fqdn"})}

    def rules(self, inputs: Properties) -> Iterator[Failure]:
        """Demand what some types need."""
        kind = inputs.get("type")
        for name in _REQUIRED.get(kind, ()) if isinstance(kind, str) else ():
            if name not in inputs:
                yield Failure(name, f"required where the type is {kind}")

    def is_same(self, name: str, have: Any, want: Any, wanted: Properties) -> bool:
        """Compare names and values without regard to how they are qualified."""
        zone = f"{wanted.get('domain')}."
        if name in {"name", "value"} and isinstance(have, str) and want is not UNKNOWN:
            if have == "@" and want == zone:
                return True
            if (name == "name" and want == f"{have}.{zone}") or (name == "value" and have == f"{want}.{zone}"):
                return True
        return super().is_same(name, have, want, wanted)

    def create(self, session: Session, inputs: Properties) -> Created:
        """Create it, or adopt the same record when the answer got lost."""
        domain, body = inputs["domain"], {"type": inputs["type"]} | given(inputs, _FIELDS)

        def made() -> dict[str, Any] | None:
            for record in session.pages("domains.list_records", "domain_records", domain_name=domain):
                seen = properties(record, domain)
                if all(
                    self.is_same(name, seen.get(name), inputs[name], inputs)
                    for name in ("type", *_FIELDS)
                    if name in inputs
                ):
                    return {"domain_record": record}
            return None

        record = session.create("domains.create_record", made, domain_name=domain, body=body)["domain_record"]
        return Created(str(record["id"]), self.record(inputs) | properties(record, domain))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it."""
        answer = session.find("domains.get_record", domain_name=known["domain"], domain_record_id=int(identity))
        return None if answer is None else known | properties(answer["domain_record"], known["domain"])

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Change it in place."""
        del state
        domain = inputs["domain"]
        body = {"type": inputs["type"]} | given(inputs, _FIELDS)
        answer = session.put("domains.update_record", domain_name=domain, domain_record_id=int(identity), body=body)
        return self.record(inputs) | properties(answer["domain_record"], domain)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Delete it."""
        session.delete("domains.delete_record", domain_name=state["domain"], domain_record_id=int(identity))

    def imported(self, identity: str) -> tuple[str, Properties]:
        """Read `DOMAIN,RECORD`."""
        domain, _, record = identity.partition(",")
        if not record.isdigit():
            raise ProviderError(f"{identity} names no record", hint="import it as DOMAIN,RECORD_ID")
        return record, {"domain": domain}


def properties(record: dict[str, Any], domain: str) -> Properties:
    """Read the API's object."""
    value = record["data"]
    if record["type"] in _HOSTS and value != "@" and record.get("tag") != "iodef" and not value.endswith("."):
        value += "."
    return {
        "domain": domain,
        "type": record["type"],
        "name": record["name"],
        "value": value,
        "fqdn": qualified(record["name"], domain),
        **{name: record.get(name) or 0 for name in ("port", "priority", "ttl", "weight", "flags")},
        "tag": record.get("tag") or "",
    }


def qualified(name: str, domain: str) -> str:
    """Give a record's fully qualified name, without the last dot."""
    if name == "@":
        return domain
    return name.lower().removesuffix(".") if name.lower().endswith(f"{domain}.") else f"{name}.{domain}"
