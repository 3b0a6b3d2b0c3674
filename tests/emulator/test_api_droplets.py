"""Droplets: made at once, booted behind the answer, one event at a time, gone when they are deleted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from apilab import DEBIAN, wait_for

if TYPE_CHECKING:
    from apilab import Api

    from localcloud.digitalocean.testing import FrozenClock, RecordingMachines

PENDING = (422, "Droplet already has a pending event.")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHfj/iYAzVGAwEfTOxfEw6wnEH0Jx3sBCWU2bqbu9Wsz someone@somewhere"


def test_a_droplet_is_new_and_whole_while_it_boots(api: Api, machines: RecordingMachines) -> None:
    machines.hold["create"] = gate = threading.Event()
    answer = api.booting()
    droplet, link = answer["droplet"], answer["links"]["actions"][0]
    assert (droplet["status"], droplet["locked"]) == ("new", True)
    assert droplet["networks"] == {"v4": [], "v6": []}
    for key in ("region", "size", "image"):
        assert droplet[key]["slug"]
    assert (link["rel"], link["href"]) == ("create", f"{api.url}/v2/actions/{link['id']}")
    assert api.get(f"/v2/actions/{link['id']}")["action"]["status"] == "in-progress"
    gate.set()
    droplet = api.settled(droplet["id"])
    assert droplet["status"] == "active"
    assert [network["type"] for network in droplet["networks"]["v4"]] == ["private", "public"]
    action = api.finished(link["id"])
    assert (action["status"], action["completed_at"] is None) == ("completed", False)


def test_the_machine_gets_all_that_was_asked_for(api: Api, machines: RecordingMachines) -> None:
    key = api.post("/v2/account/keys", {"name": "k", "public_key": KEY})["ssh_key"]
    vpc = api.vpc(ip_range="10.20.0.0/24")
    volume = api.volume(name="db-data", filesystem_type="xfs")
    droplet = api.droplet(
        size="s-2vcpu-4gb",
        vpc_uuid=vpc["id"],
        ssh_keys=[key["fingerprint"]],
        user_data="#cloud-config\n",
        volumes=[{"id": volume["id"]}],
        tags=["staging"],
        monitoring=True,
    )
    spec = machines.specs[droplet["id"]]
    assert (spec.image, spec.vcpus, spec.memory_mib) == (f"image:{DEBIAN}", 2, 4096)
    assert (spec.vpc_id, spec.vpc_cidr, spec.private_ipv4) == (vpc["id"], "10.20.0.0/24", "10.20.0.2")
    assert (spec.user_data, spec.ssh_keys, spec.tags) == ("#cloud-config\n", (KEY,), ("staging",))
    assert [(mount.name, mount.filesystem) for mount in spec.volumes] == [("db-data", "xfs")]
    assert spec.public_ipv4 == droplet["networks"]["v4"][1]["ip_address"] == "127.0.10.2"
    assert droplet["volume_ids"] == [volume["id"]]
    assert set(droplet["features"]) >= {"monitoring", "private_networking"}


@pytest.mark.parametrize("entry", ["{id}", {"id": "{id}"}, {"name": "data"}])
def test_a_volume_is_named_in_each_way_that_clients_do(api: Api, entry: Any) -> None:
    volume = api.volume()
    filled: Any = volume["id"] if entry == "{id}" else {key: volume[key] for key in entry}
    assert api.droplet(volumes=[filled])["volume_ids"] == [volume["id"]]


def test_several_droplets_come_from_one_request(api: Api) -> None:
    answer = api.booting(name=None, names=["a", "b"])
    assert [droplet["name"] for droplet in answer["droplets"]] == ["a", "b"]
    addresses = {api.settled(droplet["id"])["networks"]["v4"][0]["ip_address"] for droplet in answer["droplets"]}
    assert len(addresses) == len(answer["links"]["actions"]) == 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": "under_score"}, "valid hostname characters"),
        ({"name": None}, "name is required"),
        ({"region": "mars1"}, "Region is not available: 'mars1'"),
        ({"region": "ams2"}, "Region is not available"),
        ({"size": "s-huge"}, "invalid size"),
        ({"size": None}, "size is required"),
        ({"image": "windows"}, "invalid image"),
        ({"image": None}, "invalid image"),
        ({"image": 7}, "invalid image"),
        ({"image": "ubuntu-24-04-x64"}, "bootable: debian-12-x64, debian-13-x64"),
        ({"ssh_keys": [4]}, "4 are invalid key identifiers"),
        ({"vpc_uuid": "none"}, "Invalid VPC"),
        ({"volumes": ["none"]}, "Failed to resolve volume"),
        ({"user_data": "x" * 65537}, "Maximum size is 64KiB"),
        ({"tags": ["a b"]}, "tags may only contain"),
        ({"ipv6": "perhaps"}, "ipv6 must be a boolean"),
        ({"names": ["a"] * 11}, "at most 10"),
        ({"names": [1]}, "array of strings"),
    ],
)
def test_what_can_not_be_is_refused_and_leaves_nothing(api: Api, change: dict[str, Any], text: str) -> None:
    wanted = {"name": "web", "region": "fra1", "size": "s-1vcpu-1gb", "image": DEBIAN, **change}
    status, message = api.error("POST", "/v2/droplets", wanted)
    assert status == 422
    assert text in message
    assert api.get("/v2/droplets")["droplets"] == []
    assert api.get("/v2/tags")["tags"] == []


def test_the_region_is_not_case_sensitive_and_follows_from_the_vpc(api: Api) -> None:
    assert api.droplet(region="FRA1")["region"]["slug"] == "fra1"
    vpc = api.vpc(region="sgp1")
    assert api.droplet(region=None, vpc_uuid=vpc["id"])["region"]["slug"] == "sgp1"
    assert "is not in region" in api.error("POST", "/v2/droplets", droplet_in(vpc["id"], "fra1"))[1]


def droplet_in(vpc_id: str, region: str) -> dict[str, Any]:
    return {"name": "w", "region": region, "size": "s-1vcpu-1gb", "image": DEBIAN, "vpc_uuid": vpc_id}


def test_an_image_is_named_by_number_too(api: Api) -> None:
    number = api.get(f"/v2/images/{DEBIAN}")["image"]["id"]
    assert api.droplet(image=number)["image"]["slug"] == DEBIAN


def test_the_account_has_a_limit(api: Api) -> None:
    for batch in range(2):
        api.booting(names=[f"d{batch}-{n}" for n in range(10)])
    status, message = api.error("POST", "/v2/droplets", {"names": [f"e{n}" for n in range(6)]})
    assert (status, message) == (422, "creating this/these droplet(s) will exceed your droplet limit")


def test_a_boot_that_fails_leaves_a_droplet_to_be_deleted(api: Api, machines: RecordingMachines) -> None:
    machines.fail["create"] = RuntimeError("no memory")
    answer = api.booting()
    droplet = api.settled(answer["droplet"]["id"])
    assert droplet["status"] == "off"
    action = api.finished(answer["links"]["actions"][0]["id"])
    assert (action["status"], action["message"]) == ("errored", "no memory")
    api.delete(f"/v2/droplets/{droplet['id']}")
    assert api.get("/v2/droplets")["droplets"] == []


def test_no_public_address_when_none_is_wanted(api: Api, machines: RecordingMachines) -> None:
    droplet = api.droplet(public_networking=False)
    assert [network["type"] for network in droplet["networks"]["v4"]] == ["private"]
    assert machines.plan is not None
    assert machines.plan.addresses == ()


def test_ipv6_is_lower_case_and_of_one_kind(api: Api) -> None:
    shown = api.droplet(ipv6=True)["networks"]["v6"][0]
    assert shown["ip_address"] == shown["ip_address"].lower()
    assert shown["type"] == "public"


def test_droplets_are_found_by_name_and_tag(api: Api) -> None:
    api.droplet(name="a", tags=["red"])
    api.droplet(name="b")
    assert [item["name"] for item in api.get("/v2/droplets?name=b")["droplets"]] == ["b"]
    assert [item["name"] for item in api.get("/v2/droplets?tag_name=RED")["droplets"]] == ["a"]
    assert api.get("/v2/droplets?tag_name=blue")["droplets"] == []
    assert api.get("/v2/droplets?type=gpus")["droplets"] == []


ACTIONS = [
    ("power_off", {}, ("stop", False), {"status": "off"}),
    ("shutdown", {}, ("stop", True), {"status": "off"}),
    ("reboot", {}, ("reboot",), {"status": "active"}),
    ("power_on", {}, ("start",), {"status": "active"}),
    ("power_cycle", {}, ("start",), {"status": "active"}),
    ("rename", {"name": "other"}, None, {"name": "other"}),
    ("rebuild", {"image": "debian-12-x64"}, ("rebuild", "image:debian-12-x64"), {"status": "active"}),
    ("enable_private_networking", {}, None, {"status": "active"}),
]


@pytest.mark.parametrize("row", ACTIONS, ids=[row[0] for row in ACTIONS])
def test_an_action_works_on_the_machine_and_shows(api: Api, machines: RecordingMachines, row: tuple[Any, ...]) -> None:
    kind, more, call, after = row
    number = api.droplet()["id"]
    action = api.act(number, kind, **more)
    assert (action["status"], action["type"], action["resource_id"]) == ("completed", kind, number)
    assert after.items() <= api.settled(number).items()
    last = next((entry for entry in reversed(machines.calls) if entry[0] != "apply_network"), None)
    assert last == ((call[0], number, *call[1:]) if call else ("create", number))


@pytest.mark.parametrize("times", [1, 2])
def test_features_are_switched(api: Api, times: int) -> None:
    number = api.droplet()["id"]
    for _ in range(times):
        api.act(number, "enable_ipv6")
        api.act(number, "enable_backups", backup_policy={"plan": "weekly", "weekday": "SUN", "hour": 4})
    shown = api.settled(number)
    assert {"ipv6", "backups"} <= set(shown["features"])
    assert shown["networks"]["v6"]
    policy = api.get(f"/v2/droplets/{number}/backups/policy")["policy"]
    assert policy["backup_policy"]["plan"] == "weekly"
    api.act(number, "change_backup_policy", backup_policy={"plan": "daily", "hour": 0})
    api.act(number, "disable_backups")
    assert "backups" not in api.settled(number)["features"]
    assert api.error("POST", f"/v2/droplets/{number}/actions", {"type": "change_backup_policy"})[0] == 422


def test_resize_keeps_the_disk_unless_it_may_grow(api: Api, machines: RecordingMachines) -> None:
    number = api.droplet()["id"]
    path = f"/v2/droplets/{number}/actions"
    assert "powered off before" in api.error("POST", path, {"type": "resize", "size": "s-2vcpu-4gb"})[1]
    api.act(number, "power_off")
    api.act(number, "resize", size="s-2vcpu-4gb", disk=False)
    shown = api.settled(number)
    assert (shown["memory"], shown["vcpus"], shown["disk"], shown["size_slug"]) == (4096, 2, 25, "s-2vcpu-4gb")
    assert ("resize", number, 2, 4096) in machines.calls
    api.act(number, "resize", size="s-1vcpu-1gb")
    api.act(number, "resize", size="s-2vcpu-4gb", disk=True)
    assert api.settled(number)["disk"] == 80
    assert "smaller disk" in api.error("POST", path, {"type": "resize", "size": "s-1vcpu-1gb"})[1]


def test_a_snapshot_has_the_second_of_its_action_and_boots(
    api: Api, machines: RecordingMachines, clock: FrozenClock
) -> None:
    number = api.droplet()["id"]
    clock.advance(10)
    action = api.act(number, "snapshot", name="before")
    image = api.get("/v2/images?private=true")["images"][0]
    assert image["created_at"] == action["started_at"]
    assert (image["name"], image["type"], image["slug"]) == ("before", "snapshot", None)
    assert api.error("POST", f"/v2/droplets/{number}/actions", {"type": "snapshot"}) == PENDING
    clock.advance(1)
    assert api.act(number, "snapshot")["status"] == "completed"
    snapshots = api.get("/v2/snapshots?resource_type=droplet")["snapshots"]
    assert snapshots[0]["id"] == str(image["id"])
    assert api.get("/v2/snapshots?resource_type=volume")["snapshots"] == []
    assert (
        len(api.settled(number)["snapshot_ids"]) == len(api.get(f"/v2/droplets/{number}/snapshots")["snapshots"]) == 2
    )
    copy = api.droplet(name="copy", image=image["id"])
    assert machines.specs[copy["id"]].image == f"snapshot:{image['id']}"
    api.delete(f"/v2/snapshots/{image['id']}")
    assert ("delete_image", f"snapshot:{image['id']}") in machines.calls
    api.get(f"/v2/images/{image['id']}", 404)


def test_power_off_of_a_droplet_that_is_off_is_refused_in_known_words(api: Api) -> None:
    number = api.droplet()["id"]
    api.act(number, "power_off")
    for kind in ("power_off", "shutdown"):
        status, message = api.error("POST", f"/v2/droplets/{number}/actions", {"type": kind})
        assert status == 422
        assert "Droplet is already powered off" in message
    assert api.error("POST", f"/v2/droplets/{number}/actions", {"type": "reboot"})[0] == 422


@pytest.mark.parametrize("body", [{"type": "explode"}, {}, {"type": "rename"}, {"type": "rename", "name": "a b"}])
def test_an_action_that_is_none_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.error("POST", f"/v2/droplets/{api.droplet()['id']}/actions", body)[0] == 422


def test_one_event_at_a_time(api: Api, machines: RecordingMachines) -> None:
    machines.hold["create"] = gate = threading.Event()
    number = api.booting(tags=["busy"])["droplet"]["id"]
    address = api.post("/v2/reserved_ips", {"region": "fra1"}, 202)["reserved_ip"]["ip"]
    volume = api.volume()
    assert api.error("POST", f"/v2/droplets/{number}/actions", {"type": "reboot"}) == PENDING
    assert api.error("POST", "/v2/droplets/actions?tag_name=busy", {"type": "reboot"}) == PENDING
    assert api.error("DELETE", f"/v2/droplets/{number}") == PENDING
    assign = {"type": "assign", "droplet_id": number}
    assert api.error("POST", f"/v2/reserved_ips/{address}/actions", assign) == PENDING
    attach = {"type": "attach", "droplet_id": number}
    assert api.error("POST", f"/v2/volumes/{volume['id']}/actions", attach) == PENDING
    running = api.get(f"/v2/droplets/{number}/actions")["actions"]
    assert [action["status"] for action in running] == ["in-progress"]
    gate.set()
    api.settled(number)
    api.post(f"/v2/volumes/{volume['id']}/actions", attach, 202)


def test_an_action_whose_machine_fails_is_errored_and_frees_the_droplet(api: Api, machines: RecordingMachines) -> None:
    number = api.droplet()["id"]
    machines.fail["reboot"] = RuntimeError("stuck")
    assert api.act(number, "reboot")["status"] == "errored"
    assert api.settled(number)["status"] == "active"
    assert api.act(number, "reboot")["status"] == "completed"


def test_actions_by_tag_start_on_all_of_them(api: Api) -> None:
    numbers = {api.droplet(name=name, tags=["pair"])["id"] for name in ("a", "b")}
    started = api.post("/v2/droplets/actions?tag_name=pair", {"type": "power_off"})["actions"]
    assert {action["resource_id"] for action in started} == numbers
    for number in numbers:
        assert api.settled(number)["status"] == "off"


def test_a_deleted_droplet_is_gone_from_everything_at_once(api: Api, machines: RecordingMachines) -> None:
    volume = api.volume()
    droplet = api.droplet(volumes=[volume["id"]])
    number = droplet["id"]
    address = api.post("/v2/reserved_ips", {"droplet_id": number}, 202)["reserved_ip"]["ip"]
    firewall = api.firewall(droplet_ids=[number])
    api.delete(f"/v2/droplets/{number}")
    api.get(f"/v2/droplets/{number}", 404)
    assert machines.list_ids() == []
    assert api.get(f"/v2/volumes/{volume['id']}")["volume"]["droplet_ids"] == []
    assert api.get(f"/v2/reserved_ips/{address}")["reserved_ip"]["droplet"] is None
    assert api.get(f"/v2/firewalls/{firewall['id']}")["firewall"]["droplet_ids"] == []
    urns = {item["urn"] for item in api.get("/v2/projects/default/resources")["resources"]}
    assert f"do:droplet:{number}" not in urns
    assert api.get(f"/v2/vpcs/{droplet['vpc_uuid']}/members")["members"] == []
    assert machines.plan is not None
    assert machines.plan.addresses == ()


def test_a_machine_that_can_not_be_destroyed_keeps_its_droplet(api: Api, machines: RecordingMachines) -> None:
    number = api.droplet()["id"]
    machines.fail["destroy"] = RuntimeError("busy")
    assert api.error("DELETE", f"/v2/droplets/{number}")[0] == 500
    assert api.settled(number)["status"] == "active"
    api.delete(f"/v2/droplets/{number}")


def test_droplets_are_deleted_by_tag(api: Api) -> None:
    api.droplet(name="a", tags=["old"])
    kept = api.droplet(name="b")["id"]
    api.delete("/v2/droplets?tag_name=old")
    assert [item["id"] for item in api.get("/v2/droplets")["droplets"]] == [kept]


def test_dangerous_takes_volumes_and_snapshots_along(api: Api) -> None:
    volume = api.volume()
    number = api.droplet(volumes=[volume["id"]])["id"]
    api.act(number, "snapshot", name="s")
    path = f"/v2/droplets/{number}/destroy_with_associated_resources/dangerous"
    assert api.error("DELETE", path)[0] == 400
    assert api.call("DELETE", path, headers={"x-dangerous": "true"}).status == 202
    assert api.get("/v2/volumes")["volumes"] == api.get("/v2/images?private=true")["images"] == []


def test_small_lists_around_a_droplet(api: Api) -> None:
    first, second = api.droplet(name="a")["id"], api.droplet(name="b")["id"]
    for name in ("backups", "kernels"):
        assert api.get(f"/v2/droplets/{first}/{name}")[name] == []
    assert [item["id"] for item in api.get(f"/v2/droplets/{first}/neighbors")["droplets"]] == [second]
    action = api.get(f"/v2/droplets/{first}/actions")["actions"][0]
    assert api.get(f"/v2/droplets/{first}/actions/{action['id']}")["action"] == action
    api.get(f"/v2/droplets/{second}/actions/{action['id']}", 404)
    assert api.get(f"/v2/droplets/{first}/backups/policy")["policy"]["backup_enabled"] is False


def test_a_system_that_switched_itself_off_is_off(api: Api, machines: RecordingMachines) -> None:
    number = api.droplet()["id"]
    machines.states[number] = "off"
    assert api.get(f"/v2/droplets/{number}")["droplet"]["status"] == "off"
    machines.states[number] = "running"
    assert api.get("/v2/droplets")["droplets"][0]["status"] == "active"


def test_droplets_boot_side_by_side(api: Api, machines: RecordingMachines) -> None:
    machines.hold["create"] = gate = threading.Event()
    api.booting(names=["a", "b", "c", "d"])
    wait_for(lambda: len(machines.calls), lambda count: count >= 4)
    gate.set()
    wait_for(lambda: api.get("/v2/droplets"), lambda seen: all(d["status"] == "active" for d in seen["droplets"]))
