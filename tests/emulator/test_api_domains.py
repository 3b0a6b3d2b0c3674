"""Domains and their records, normalised as the real service does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.digitalocean.records import relative

if TYPE_CHECKING:
    from apilab import Api

ZONE = "staging.erp.tsh.sale"
RECORDS = f"/v2/domains/{ZONE}/records"


@pytest.fixture(autouse=True)
def zone(request: pytest.FixtureRequest) -> None:
    if "api" in request.fixturenames:
        api: Api = request.getfixturevalue("api")
        api.post("/v2/domains", {"name": ZONE})


def record(**values: Any) -> dict[str, Any]:
    return {"type": "A", "name": "@", "data": "127.0.20.2", **values}


def test_a_zone_is_born_with_soa_and_name_servers(api: Api) -> None:
    kinds = [item["type"] for item in api.get(RECORDS)["domain_records"]]
    assert kinds == ["SOA", "NS", "NS", "NS"]
    domain = api.get(f"/v2/domains/{ZONE}")["domain"]
    assert domain["ttl"] == 1800
    assert f"$ORIGIN {ZONE}." in domain["zone_file"]
    assert f"{ZONE}. 1800 IN NS ns1.digitalocean.com." in domain["zone_file"]


def test_an_address_given_with_a_domain_is_its_apex(api: Api) -> None:
    api.post("/v2/domains", {"name": "other.test", "ip_address": "127.0.20.9"})
    apex = api.get("/v2/domains/other.test/records?type=A")["domain_records"]
    assert [(item["name"], item["data"]) for item in apex] == [("@", "127.0.20.9")]
    assert [item["name"] for item in api.get("/v2/domains")["domains"]] == [ZONE, "other.test"]
    api.delete("/v2/domains/other.test")
    api.get("/v2/domains/other.test/records", 404)


@pytest.mark.parametrize(
    "name", ["", "localhost", "a..test", "-a.test", "a b.test", f"{'x' * 64}.test", ZONE, "a.test."]
)
def test_a_domain_that_can_not_be_is_refused(api: Api, name: str) -> None:
    assert api.error("POST", "/v2/domains", {"name": name})[0] == 422


NORMALISED = [
    ({"type": "A"}, {"name": "@", "data": "127.0.20.2", "ttl": 1800, "priority": None}),
    ({"type": "A", "name": f"www.{ZONE}."}, {"name": "www"}),
    ({"type": "A", "name": ZONE}, {"name": "@"}),
    ({"type": "A", "name": "*.pr"}, {"name": "*.pr"}),
    ({"type": "AAAA", "data": "2001:db8::1"}, {"data": "2001:db8::1"}),
    ({"type": "CNAME", "name": "www", "data": f"{ZONE}."}, {"data": "@"}),
    ({"type": "CNAME", "name": "www", "data": "other.test."}, {"data": "other.test"}),
    ({"type": "MX", "data": "mail.test.", "priority": 0}, {"data": "mail.test", "priority": 0, "port": None}),
    (
        {"type": "SRV", "name": "_x._tcp", "data": "svc.test.", "priority": 0, "port": 0, "weight": 0},
        {"data": "svc.test", "priority": 0, "port": 0, "weight": 0, "flags": None},
    ),
    ({"type": "NS", "name": "sub", "data": "ns.test."}, {"data": "ns.test"}),
    ({"type": "CAA", "data": "letsencrypt.org.", "flags": 0, "tag": "issue"}, {"data": "letsencrypt.org", "flags": 0}),
    ({"type": "CAA", "data": "mailto:a@b.test.", "flags": 0, "tag": "iodef"}, {"data": "mailto:a@b.test."}),
    ({"type": "TXT", "data": "v=spf1 -all", "ttl": 30}, {"data": "v=spf1 -all", "ttl": 30, "tag": None}),
    ({"type": "txt", "data": "x"}, {"type": "TXT"}),
]


@pytest.mark.parametrize(("sent", "shown"), NORMALISED)
def test_a_record_is_normalised(api: Api, sent: dict[str, Any], shown: dict[str, Any]) -> None:
    made = api.post(RECORDS, record(**sent))["domain_record"]
    assert shown.items() <= made.items()
    assert api.get(f"{RECORDS}/{made['id']}")["domain_record"] == made
    # Saying the same again, as clients do on update, changes nothing.
    assert api.put(f"{RECORDS}/{made['id']}", record(**sent))["domain_record"] == made


@pytest.mark.parametrize(
    "sent",
    [
        {"type": "A", "data": "nowhere"},
        {"type": "A", "data": "::1"},
        {"type": "AAAA", "data": "127.0.0.1"},
        {"type": "A", "data": None},
        {"type": "A", "ttl": 5},
        {"type": "A", "ttl": "long"},
        {"type": "MX", "data": "mail.test."},
        {"type": "SRV", "data": "svc.test.", "priority": 1, "port": 2},
        {"type": "CAA", "data": "x.test", "tag": "issue"},
        {"type": "SOA", "data": "1800"},
        {"type": "PTR", "data": "x.test"},
        {"type": None},
    ],
)
def test_a_record_that_can_not_be_is_refused(api: Api, sent: dict[str, Any]) -> None:
    assert api.error("POST", RECORDS, record(**sent))[0] == 422
    assert len(api.get(RECORDS)["domain_records"]) == 4


def test_a_record_is_changed_in_part_and_removed(api: Api) -> None:
    made = api.post(RECORDS, record(name="www"))["domain_record"]
    path = f"{RECORDS}/{made['id']}"
    assert api.patch(path, {"type": "A", "data": "127.0.20.3"})["domain_record"] == {**made, "data": "127.0.20.3"}
    assert api.put(path, {"type": "A", "ttl": 60})["domain_record"]["ttl"] == 60
    assert api.error("PATCH", path, {"data": "nowhere"})[0] == 422
    api.delete(path)
    api.get(path, 404)


def test_records_are_found_by_full_name_and_type(api: Api) -> None:
    api.post(RECORDS, record(name="www"))
    api.post(RECORDS, record())
    found = api.get(f"{RECORDS}?type=A&name=www.{ZONE}")["domain_records"]
    assert [item["name"] for item in found] == ["www"]
    assert len(api.get(f"{RECORDS}?type=A")["domain_records"]) == 2
    assert [item["name"] for item in api.get(f"{RECORDS}?type=A&name={ZONE}")["domain_records"]] == ["@"]


def test_a_record_belongs_to_its_domain(api: Api) -> None:
    api.post("/v2/domains", {"name": "other.test"})
    made = api.post(RECORDS, record())["domain_record"]
    api.get(f"/v2/domains/other.test/records/{made['id']}", 404)


def test_the_zone_file_is_one_that_name_servers_read(api: Api) -> None:
    for sent, _ in NORMALISED:
        api.post(RECORDS, record(**sent))
    lines = api.get(f"/v2/domains/{ZONE}")["domain"]["zone_file"].splitlines()
    assert f"www.{ZONE}. 1800 IN CNAME {ZONE}." in lines
    assert f"{ZONE}. 1800 IN MX 0 mail.test." in lines
    assert f"_x._tcp.{ZONE}. 1800 IN SRV 0 0 0 svc.test." in lines
    assert f'{ZONE}. 1800 IN CAA 0 issue "letsencrypt.org"' in lines
    assert f'{ZONE}. 30 IN TXT "v=spf1 -all"' in lines


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


@given(st.lists(labels, min_size=1, max_size=3), st.sampled_from(["", "."]))
def test_a_full_name_and_a_relative_one_are_the_same(parts: list[str], dot: str) -> None:
    name = ".".join(parts)
    assert relative(f"{name}.{ZONE}{dot}", ZONE) == relative(name, ZONE) == name
