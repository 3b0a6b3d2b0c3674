"""Somebody pointed the name elsewhere in the cloud's panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

ZONE = "tsh-erp.test"


def record(lab: Lab) -> dict[str, Any] | None:
    found = lab.api("GET", f"/domains/{ZONE}/records?type=A")["domain_records"]
    return next((each for each in found if each["name"] == "staging"), None)


def broken(lab: Lab) -> str:
    found = record(lab)
    return "" if found and found["data"] == lab.address else "the name leads elsewhere"


CASE = Case(
    id="tls-dns-record-changed",
    title="the A record was pointed elsewhere",
    rows=("U29", "F94"),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.api(
        "PUT", f"/domains/{ZONE}/records/{record(lab)['id']}", {"type": "A", "data": "203.0.113.9"}
    ),
    broken=broken,
    causes=("DNS_RECORD_WRONG",),
)
