"""Volumes: attached to one droplet at a time, done when answered, outliving what they are attached to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from apilab import Api

    from localcloud.digitalocean.testing import RecordingMachines


def test_a_volume_is_made_shown_and_removed(api: Api, machines: RecordingMachines) -> None:
    volume = api.volume(size_gigabytes=20, filesystem_type="ext4", filesystem_label="data", description="d")
    assert machines.volumes == {volume["id"]: 20}
    assert (volume["droplet_ids"], volume["region"]["slug"]) == ([], "fra1")
    assert api.get(f"/v2/volumes/{volume['id']}")["volume"] == volume
    assert api.get(f"/v2/volumes/{volume['id']}/snapshots")["snapshots"] == []
    api.delete(f"/v2/volumes/{volume['id']}")
    assert machines.volumes == {}


def test_empty_strings_are_what_is_not_set(api: Api) -> None:
    assert api.volume(snapshot_id="", filesystem_label="", description="")["name"] == "data"


def test_volumes_are_found_and_removed_by_name_and_region(api: Api) -> None:
    api.volume()
    api.volume(region="sgp1")
    assert len(api.get("/v2/volumes?name=data")["volumes"]) == 2
    assert len(api.get("/v2/volumes?region=SGP1")["volumes"]) == 1
    api.delete("/v2/volumes?name=data&region=sgp1")
    assert api.error("DELETE", "/v2/volumes?name=data&region=sgp1")[0] == 404
    assert [item["region"]["slug"] for item in api.get("/v2/volumes")["volumes"]] == ["fra1"]


def test_attaching_shows_on_both_sides_when_it_is_answered(api: Api, machines: RecordingMachines) -> None:
    volume, number = api.volume()["id"], api.droplet()["id"]
    path = f"/v2/volumes/{volume}/actions"
    action = api.post(path, {"type": "attach", "droplet_id": number, "region": "fra1"}, 202)["action"]
    assert (action["status"], action["type"]) == ("completed", "attach_volume")
    assert machines.mounts == {volume: number}
    assert api.get(f"/v2/volumes/{volume}")["volume"]["droplet_ids"] == [number]
    assert api.get(f"/v2/droplets/{number}")["droplet"]["volume_ids"] == [volume]
    assert api.error("DELETE", f"/v2/volumes/{volume}")[0] == 409
    assert api.error("POST", path, {"type": "attach", "droplet_id": number})[0] == 422
    api.post(path, {"type": "detach", "droplet_id": number}, 202)
    assert machines.mounts == {}
    assert api.error("POST", path, {"type": "detach", "droplet_id": number}) == (422, "Attachment not found")
    assert [item["type"] for item in api.get(path)["actions"]] == ["detach_volume", "attach_volume"]
    assert api.get(f"{path}/{action['id']}")["action"] == action


def test_a_volume_is_attached_by_name(api: Api) -> None:
    api.volume()
    body = {"type": "attach", "volume_name": "data", "region": "fra1", "droplet_id": api.droplet()["id"]}
    assert api.call("POST", "/v2/volumes/actions", body).status == 202
    assert api.error("POST", "/v2/volumes/actions", {**body, "volume_name": "none"})[0] == 404


def test_a_refused_attachment_is_passed_on_and_changes_nothing(api: Api, machines: RecordingMachines) -> None:
    volume, number = api.volume()["id"], api.droplet()["id"]
    machines.fail["attach"] = RuntimeError("mounts do not propagate here")
    status, message = api.error("POST", f"/v2/volumes/{volume}/actions", {"type": "attach", "droplet_id": number})
    assert status == 422
    assert "mounts do not propagate here" in message
    assert api.get(f"/v2/volumes/{volume}")["volume"]["droplet_ids"] == []
    assert api.settled(number)["locked"] is False
    assert api.get(f"/v2/volumes/{volume}/actions")["actions"][0]["status"] == "errored"


def test_a_volume_grows_and_does_not_shrink(api: Api) -> None:
    volume = api.volume()["id"]
    path = f"/v2/volumes/{volume}/actions"
    api.post(path, {"type": "resize", "size_gigabytes": 30, "region": "fra1"}, 202)
    assert api.get(f"/v2/volumes/{volume}")["volume"]["size_gigabytes"] == 30
    for size in (29, 16385, 0, "much"):
        assert api.error("POST", path, {"type": "resize", "size_gigabytes": size})[0] == 422


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "data"}, 409),
        ({"name": "Data"}, 422),
        ({"name": "1st"}, 422),
        ({"size_gigabytes": 0}, 422),
        ({"size_gigabytes": 16385}, 422),
        ({"size_gigabytes": None}, 422),
        ({"region": "mars1"}, 422),
        ({"filesystem_type": "zfs"}, 422),
        ({"filesystem_type": "xfs", "filesystem_label": "x" * 13}, 422),
        ({"snapshot_id": "some"}, 422),
    ],
)
def test_a_volume_that_can_not_be_is_refused(
    api: Api, machines: RecordingMachines, change: dict[str, Any], status: int
) -> None:
    api.volume()
    wanted = {"name": "other", "region": "fra1", "size_gigabytes": 1, **change}
    assert api.error("POST", "/v2/volumes", wanted)[0] == status
    assert len(machines.volumes) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "attach", "droplet_id": 1}, 404),
        ({"type": "attach"}, 422),
        ({"type": "mount"}, 422),
        ({}, 422),
    ],
)
def test_an_action_that_can_not_be_is_refused(api: Api, body: dict[str, Any], status: int) -> None:
    assert api.error("POST", f"/v2/volumes/{api.volume()['id']}/actions", body)[0] == status


def test_a_volume_stays_in_its_region_and_with_one_droplet(api: Api) -> None:
    far = api.volume(region="sgp1")["id"]
    near = api.volume()["id"]
    number = api.droplet(volumes=[near])["id"]
    assert "region" in api.error("POST", f"/v2/volumes/{far}/actions", {"type": "attach", "droplet_id": number})[1]
    wanted = {"name": "b", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "volumes": [near]}
    assert "already attached" in api.error("POST", "/v2/droplets", wanted)[1]


def test_the_account_has_a_limit_of_volumes(api: Api) -> None:
    for number in range(100):
        api.volume(name=f"v{number}")
    assert "limit" in api.error("POST", "/v2/volumes", {"name": "w", "region": "fra1", "size_gigabytes": 1})[1]
