"""Somebody deleted the name in the cloud's panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

ZONE = "tsh-erp.test"


def record(lab: Lab) -> dict[str, Any] | None:
    found = lab.api("GET", f"/domains/{ZONE}/records?type=A")["domain_records"]
    return next((each for each in found if each["name"] == "staging"), None)


CASE = Case(
    id="tls-dns-record-deleted",
    title="the A record was deleted",
    rows=("U29", "F94"),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.api("DELETE", f"/domains/{ZONE}/records/{record(lab)['id']}"),
    broken=lambda lab: "" if record(lab) else "there is no record",
    causes=("DNS_RECORD_WRONG",),
)
