"""VPCs, firewalls and reserved IPs: what the API shows, and the plan that machines are told to put in force."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import pytest
from apilab import inbound
from hypothesis import given
from hypothesis import strategies as st

from localcloud.digitalocean import network
from localcloud.machines.spec import PublicAddress, Rule

if TYPE_CHECKING:
    from apilab import Api

    from localcloud.digitalocean.testing import RecordingMachines

WORLD = ("0.0.0.0/0", "::/0")


def rules_of(machines: RecordingMachines, droplet_id: int) -> tuple[Rule, ...] | None:
    assert machines.plan is not None
    return next(policy.inbound for policy in machines.plan.firewalls if policy.droplet_id == droplet_id)


# VPCs


def test_a_region_has_a_default_vpc_before_the_first_of_ones_own(api: Api) -> None:
    vpc = api.vpc(ip_range="10.20.0.0/24", description="staging")
    assert (vpc["default"], vpc["urn"]) == (False, f"do:vpc:{vpc['id']}")
    shown = api.get("/v2/vpcs")["vpcs"]
    assert [(item["name"], item["default"]) for item in shown] == [("default-fra1", True), ("net", False)]
    default = shown[0]["id"]
    assert api.droplet()["vpc_uuid"] == default
    assert api.error("DELETE", f"/v2/vpcs/{default}")[0] == 403


def test_free_ranges_are_handed_out(api: Api) -> None:
    given = [ipaddress.ip_network(api.vpc(name=f"n{number}")["ip_range"]) for number in range(4)]
    assert all(item.prefixlen == 20 for item in given)
    assert not any(a.overlaps(b) for a in given for b in given if a is not b)


def test_the_default_vpc_makes_way_for_a_range_that_is_asked_for(api: Api) -> None:
    assert api.vpc(ip_range="10.100.0.0/20")["ip_range"] == "10.100.0.0/20"
    assert not ipaddress.ip_network(api.get("/v2/vpcs")["vpcs"][0]["ip_range"]).overlaps(
        ipaddress.ip_network("10.100.0.0/20")
    )


@pytest.mark.parametrize(
    "change",
    [
        {"ip_range": "8.8.0.0/20"},
        {"ip_range": "10.0.0.0/8"},
        {"ip_range": "10.0.0.0/29"},
        {"ip_range": "10.0.0.5/24"},
        {"ip_range": "word"},
        {"ip_range": "10.20.0.128/25"},
        {"name": "taken"},
        {"name": "a b"},
        {"name": None},
        {"region": "mars1"},
        {"description": "x" * 256},
    ],
)
def test_a_vpc_that_can_not_be_is_refused(api: Api, change: dict[str, Any]) -> None:
    api.vpc(name="taken", ip_range="10.20.0.0/24")
    assert api.error("POST", "/v2/vpcs", {"name": "net", "region": "fra1", **change})[0] == 422


def test_a_vpc_is_renamed_but_never_readdressed(api: Api) -> None:
    vpc = api.vpc(ip_range="10.20.0.0/24")
    assert api.patch(f"/v2/vpcs/{vpc['id']}", {"name": "other"})["vpc"]["name"] == "other"
    changed = api.put(f"/v2/vpcs/{vpc['id']}", {"name": "third", "description": "d", "default": True})["vpc"]
    assert (changed["default"], changed["ip_range"]) == (True, "10.20.0.0/24")
    assert sum(item["default"] for item in api.get("/v2/vpcs")["vpcs"]) == 1


def test_a_vpc_with_members_stays(api: Api, machines: RecordingMachines) -> None:
    vpc = api.vpc()
    number = api.droplet(vpc_uuid=vpc["id"])["id"]
    members = api.get(f"/v2/vpcs/{vpc['id']}/members?resource_type=droplet")["members"]
    assert [member["urn"] for member in members] == [f"do:droplet:{number}"]
    assert api.get(f"/v2/vpcs/{vpc['id']}/members?resource_type=volume")["members"] == []
    assert api.error("DELETE", f"/v2/vpcs/{vpc['id']}")[0] == 403
    api.delete(f"/v2/droplets/{number}")
    machines.fail["delete_network"] = RuntimeError("busy")
    assert api.error("DELETE", f"/v2/vpcs/{vpc['id']}")[0] == 500
    api.delete(f"/v2/vpcs/{vpc['id']}")
    assert ("delete_network", vpc["id"]) in machines.calls
    assert api.get(f"/v2/vpcs/{api.get('/v2/vpcs')['vpcs'][0]['id']}/peerings")["peerings"] == []


def test_addresses_are_used_again_and_run_out(api: Api) -> None:
    vpc = api.vpc(ip_range="10.20.0.0/28")
    droplets = [api.droplet(name=f"d{number}", vpc_uuid=vpc["id"]) for number in range(13)]
    private = [droplet["networks"]["v4"][0]["ip_address"] for droplet in droplets]
    assert private == [f"10.20.0.{host}" for host in range(2, 15)]
    body = {"name": "one-more", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "vpc_uuid": vpc["id"]}
    assert "no address left" in api.error("POST", "/v2/droplets", body)[1]
    api.delete(f"/v2/droplets/{droplets[4]['id']}")
    assert api.droplet(vpc_uuid=vpc["id"])["networks"]["v4"][0]["ip_address"] == private[4]


# Firewalls


def test_without_a_firewall_everything_is_open(api: Api, machines: RecordingMachines) -> None:
    assert rules_of(machines, api.droplet()["id"]) is None


def test_a_firewall_is_in_force_when_it_is_answered(api: Api, machines: RecordingMachines) -> None:
    number = api.droplet()["id"]
    firewall = api.firewall(droplet_ids=[number], inbound_rules=[inbound("22"), inbound("8000-9000", "udp")])
    assert firewall["status"] == "succeeded"
    assert rules_of(machines, number) == (Rule("tcp", 22, 22, WORLD), Rule("udp", 8000, 9000, WORLD))
    api.delete(f"/v2/firewalls/{firewall['id']}/rules", body={"inbound_rules": [inbound("8000-9000", "udp")]})
    assert rules_of(machines, number) == (Rule("tcp", 22, 22, WORLD),)
    api.post(f"/v2/firewalls/{firewall['id']}/rules", {"inbound_rules": [inbound("443")]}, 204)
    assert len(rules_of(machines, number) or ()) == 2
    api.delete(f"/v2/firewalls/{firewall['id']}/droplets", body={"droplet_ids": [number]})
    assert rules_of(machines, number) is None
    api.post(f"/v2/firewalls/{firewall['id']}/droplets", {"droplet_ids": [number]}, 204)
    assert rules_of(machines, number) is not None
    assert [item["id"] for item in api.get(f"/v2/droplets/{number}/firewalls")["firewalls"]] == [firewall["id"]]
    api.delete(f"/v2/firewalls/{firewall['id']}")
    assert rules_of(machines, number) is None


def test_a_firewall_follows_tags(api: Api, machines: RecordingMachines) -> None:
    number = api.droplet()["id"]
    firewall = api.firewall(tags=["web"])
    assert rules_of(machines, number) is None
    tagged = {"resources": [{"resource_id": str(number), "resource_type": "droplet"}]}
    api.post("/v2/tags/web/resources", tagged, 204)
    assert rules_of(machines, number) is not None
    api.delete("/v2/tags/web/resources", body=tagged)
    assert rules_of(machines, number) is None
    api.post("/v2/tags/web/resources", tagged, 204)
    api.delete(f"/v2/firewalls/{firewall['id']}/tags", body={"tags": ["web"]})
    assert rules_of(machines, number) is None
    api.post(f"/v2/firewalls/{firewall['id']}/tags", {"tags": ["web"]}, 204)
    api.delete("/v2/tags/web")
    assert rules_of(machines, number) is None
    assert api.get(f"/v2/firewalls/{firewall['id']}")["firewall"]["tags"] == []


def test_sources_may_be_droplets_and_tags(api: Api, machines: RecordingMachines) -> None:
    one = api.droplet(name="a")
    two = api.droplet(name="b", tags=["peer"])
    rule = {"protocol": "tcp", "ports": "5432", "sources": {"droplet_ids": [one["id"]], "tags": ["peer"]}}
    api.firewall(droplet_ids=[one["id"]], inbound_rules=[rule])
    addresses = [network["ip_address"] for droplet in (one, two) for network in droplet["networks"]["v4"]]
    assert rules_of(machines, one["id"]) == (Rule("tcp", 5432, 5432, tuple(f"{item}/32" for item in addresses)),)


@pytest.mark.parametrize(
    ("protocol", "sent", "shown"),
    [
        ("tcp", "all", "0"),
        ("tcp", "0", "0"),
        ("icmp", "", "0"),
        ("icmp", None, "0"),
        ("tcp", "1-65535", "1-65535"),
        ("udp", "53", "53"),
    ],
)
def test_ports_are_echoed_as_the_real_service_does(api: Api, protocol: str, sent: str | None, shown: str) -> None:
    rule = {"protocol": protocol, "ports": sent, "sources": {"addresses": ["10.0.0.0/8"]}}
    stored = api.firewall(inbound_rules=[rule])["inbound_rules"]
    assert stored == [{"protocol": protocol, "ports": shown, "sources": {"addresses": ["10.0.0.0/8"]}}]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "fw"}, 409),
        ({"name": "-x"}, 422),
        ({"inbound_rules": []}, 422),
        ({"inbound_rules": [{"protocol": "gre", "ports": "1", "sources": {"addresses": ["::/0"]}}]}, 422),
        ({"inbound_rules": [inbound("70000")]}, 422),
        ({"inbound_rules": [inbound("90-80")]}, 422),
        ({"inbound_rules": [inbound("http")]}, 422),
        ({"inbound_rules": [inbound("22", addresses=["nowhere"])]}, 422),
        ({"inbound_rules": [inbound("22", droplet_ids=[1])]}, 422),
        ({"inbound_rules": [{"protocol": "tcp", "ports": "22", "sources": {}}]}, 422),
        ({"inbound_rules": "all"}, 422),
        ({"droplet_ids": [1]}, 422),
    ],
)
def test_a_firewall_that_can_not_be_is_refused(api: Api, change: dict[str, Any], status: int) -> None:
    api.firewall()
    wanted = {"name": "other", "inbound_rules": [inbound("22")], **change}
    assert api.error("POST", "/v2/firewalls", wanted)[0] == status


def test_replacing_a_firewall_replaces_all_of_it(api: Api, machines: RecordingMachines) -> None:
    number = api.droplet()["id"]
    firewall = api.firewall(droplet_ids=[number], tags=["x"])
    changed = api.put(f"/v2/firewalls/{firewall['id']}", {"name": "fw", "inbound_rules": [inbound("80")]})["firewall"]
    assert (changed["droplet_ids"], changed["tags"], changed["outbound_rules"]) == ([], [], [])
    assert rules_of(machines, number) is None


def test_a_network_that_can_not_be_applied_is_shown_and_caught_up_with(api: Api, machines: RecordingMachines) -> None:
    number = api.droplet()["id"]
    machines.fail["apply_network"] = RuntimeError("no iptables")
    firewall = api.firewall(droplet_ids=[number])
    assert firewall["name"] == "fw"
    assert api.get(f"/v2/firewalls/{firewall['id']}")["firewall"]["status"] == "failed"
    api.put(f"/v2/firewalls/{firewall['id']}", {**firewall, "inbound_rules": [inbound("80")]})
    assert api.get(f"/v2/firewalls/{firewall['id']}")["firewall"]["status"] == "succeeded"
    assert rules_of(machines, number) == (Rule("tcp", 80, 80, WORLD),)


# Reserved IPs


@pytest.mark.parametrize("path", ["reserved_ips", "floating_ips"])
def test_a_reserved_ip_moves_between_droplets(api: Api, machines: RecordingMachines, path: str) -> None:
    key = path.removesuffix("s")
    one, two = (api.droplet(name=name) for name in ("a", "b"))
    item = api.post(f"/v2/{path}", {"region": "fra1"}, 202)[key]
    assert (item["ip"], item["droplet"], item["locked"]) == ("127.0.20.2", None, False)
    for droplet in (one, two):
        body = {"type": "assign", "droplet_id": droplet["id"]}
        action = api.post(f"/v2/{path}/{item['ip']}/actions", body)["action"]
        assert (action["status"], action["type"]) == ("completed", "assign_ip")
        shown = api.get(f"/v2/{path}/{item['ip']}")[key]["droplet"]
        assert (shown["id"], shown["region"]["slug"]) == (droplet["id"], "fra1")
        assert machines.plan is not None
        private = droplet["networks"]["v4"][0]["ip_address"]
        assert PublicAddress(item["ip"], droplet["id"], private) in machines.plan.addresses
    api.post(f"/v2/{path}/{item['ip']}/actions", {"type": "unassign"})
    assert api.error("POST", f"/v2/{path}/{item['ip']}/actions", {"type": "unassign"})[0] == 422
    listed = api.get(f"/v2/{path}/{item['ip']}/actions")["actions"]
    assert [action["type"] for action in listed] == ["unassign_ip", "assign_ip", "assign_ip"]
    first = listed[0]["id"]
    assert api.get(f"/v2/{path}/{item['ip']}/actions/{first}")["action"]["id"] == first
    api.delete(f"/v2/{path}/{item['ip']}")
    assert api.get(f"/v2/{path}")[path] == []


def test_both_names_show_the_same_addresses(api: Api) -> None:
    api.post("/v2/reserved_ips", {"region": "fra1"}, 202)
    api.post("/v2/floating_ips", {"region": "fra1"}, 202)
    assert api.get("/v2/reserved_ips")["reserved_ips"] == api.get("/v2/floating_ips")["floating_ips"]


def test_an_address_reserved_for_a_droplet_is_its_at_once(api: Api) -> None:
    number = api.droplet()["id"]
    answer = api.post("/v2/reserved_ips", {"droplet_id": number}, 202)
    assert answer["reserved_ip"]["droplet"]["id"] == number
    assert answer["links"]["droplets"][0]["id"] == number
    assert api.finished(answer["links"]["actions"][0]["id"])["status"] == "completed"


@pytest.mark.parametrize("body", [{}, {"region": "mars1"}, {"droplet_id": 1}, {"region": "fra1", "project_id": "none"}])
def test_an_address_that_can_not_be_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.error("POST", "/v2/reserved_ips", body)[0] == 422
    assert api.get("/v2/reserved_ips")["reserved_ips"] == []


@pytest.mark.parametrize("body", [{"type": "steal"}, {"type": "assign"}, {"type": "assign", "droplet_id": 1}])
def test_an_action_on_an_address_that_can_not_be_is_refused(api: Api, body: dict[str, Any]) -> None:
    address = api.post("/v2/reserved_ips", {"region": "fra1"}, 202)["reserved_ip"]["ip"]
    assert api.error("POST", f"/v2/reserved_ips/{address}/actions", body)[0] == 422


def test_an_address_stays_in_its_region(api: Api) -> None:
    address = api.post("/v2/reserved_ips", {"region": "sgp1"}, 202)["reserved_ip"]["ip"]
    body = {"type": "assign", "droplet_id": api.droplet()["id"]}
    assert api.error("POST", f"/v2/reserved_ips/{address}/actions", body)[0] == 422


def test_an_assignment_that_can_not_be_applied_is_errored_and_undone(api: Api, machines: RecordingMachines) -> None:
    number = api.droplet()["id"]
    address = api.post("/v2/reserved_ips", {"region": "fra1"}, 202)["reserved_ip"]["ip"]
    machines.fail["apply_network"] = RuntimeError("no iptables")
    action = api.post(f"/v2/reserved_ips/{address}/actions", {"type": "assign", "droplet_id": number})["action"]
    assert (action["status"], action["message"]) == ("errored", "no iptables")
    assert api.get(f"/v2/reserved_ips/{address}")["reserved_ip"]["droplet"] is None
    assert api.settled(number)["locked"] is False


def test_the_account_has_a_limit_of_addresses(api: Api) -> None:
    for _ in range(20):
        api.post("/v2/reserved_ips", {"region": "fra1"}, 202)
    assert "limit" in api.error("POST", "/v2/reserved_ips", {"region": "fra1"})[1]


# The plan, as a function

names = st.sampled_from(["red", "green", "blue"])
ports = st.sampled_from(["22", "0", "80-90"])


@st.composite
def droplets(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [
        {
            "id": n,
            "private_ipv4": f"10.0.0.{n}",
            "public_ipv4": f"127.0.10.{n}",
            "tags": draw(st.lists(names, max_size=2)),
        }
        for n in range(2, draw(st.integers(2, 6)))
    ]


firewalls = st.lists(
    st.fixed_dictionaries(
        {
            "droplet_ids": st.lists(st.integers(2, 6), max_size=3),
            "tags": st.lists(names, max_size=2),
            "inbound_rules": st.lists(
                st.builds(lambda port, tag: inbound(port, tags=[tag]), ports, names), min_size=1, max_size=3
            ),
        }
    ),
    max_size=3,
)


@given(droplets(), firewalls)
def test_a_plan_covers_each_droplet_once_and_only_those_under_a_firewall(
    machines: list[dict[str, Any]], rules: list[dict[str, Any]]
) -> None:
    made = network.plan(machines, rules, [])
    assert [policy.droplet_id for policy in made.firewalls] == [machine["id"] for machine in machines]
    for machine, policy in zip(machines, made.firewalls, strict=True):
        covered = any(network.covers(firewall, machine) for firewall in rules)
        assert (policy.inbound is not None) == covered
        for rule in policy.inbound or ():
            assert 1 <= rule.first_port <= rule.last_port <= 65535
            assert rule.sources


@given(droplets(), firewalls)
def test_a_plan_does_not_depend_on_rules_given_twice(
    machines: list[dict[str, Any]], rules: list[dict[str, Any]]
) -> None:
    doubled = [{**firewall, "inbound_rules": firewall["inbound_rules"] * 2} for firewall in rules]
    assert network.plan(machines, rules, []) == network.plan(machines, doubled, [])
