"""Account, catalogue, keys, tags, projects and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from apilab import Api

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHfj/iYAzVGAwEfTOxfEw6wnEH0Jx3sBCWU2bqbu9Wsz"


def test_the_account_has_its_limits(api: Api) -> None:
    account = api.get("/v2/account")["account"]
    assert (account["droplet_limit"], account["status"]) == (25, "active")


def test_the_catalogue_has_what_clients_look_for(api: Api) -> None:
    regions = {item["slug"]: item for item in api.get("/v2/regions")["regions"]}
    assert len(regions) >= 13
    assert {"nyc3", "fra1", "sgp1", "syd1"} <= set(regions)
    assert "s-2vcpu-4gb" in regions["fra1"]["sizes"]
    sizes = {item["slug"]: item for item in api.get("/v2/sizes?per_page=200")["sizes"]}
    assert len(sizes) >= 20
    small = sizes["s-1vcpu-1gb"]
    shown = [small[key] for key in ("memory", "vcpus", "disk", "price_monthly", "price_hourly")]
    assert shown == [1024, 1, 25, 6.0, 0.00893]
    ubuntu = api.get("/v2/images/ubuntu-22-04-x64")["image"]
    assert [ubuntu[key] for key in ("distribution", "min_disk_size", "public", "type")] == [
        "Ubuntu",
        7,
        True,
        "snapshot",
    ]
    assert api.get(f"/v2/images/{ubuntu['id']}")["image"] == ubuntu


def test_images_are_listed_by_kind(api: Api) -> None:
    assert len(api.get("/v2/images?type=distribution")["images"]) >= 5
    for query in ("type=application", "private=true", "tag_name=none"):
        assert api.get(f"/v2/images?{query}")["images"] == []


def test_a_private_image_is_changed_moved_and_a_public_one_is_not(api: Api) -> None:
    number = api.droplet()["id"]
    api.act(number, "snapshot", name="before")
    image = api.get("/v2/images?private=true")["images"][0]
    path = f"/v2/images/{image['id']}"
    assert api.put(path, {"name": "after", "description": "d"})["image"]["name"] == "after"
    action = api.post(f"{path}/actions", {"type": "transfer", "region": "sgp1"})["action"]
    assert api.get(path)["image"]["regions"] == ["fra1", "sgp1"]
    assert api.get(f"{path}/actions/{action['id']}")["action"] == api.get(f"{path}/actions")["actions"][0]
    assert api.error("PUT", "/v2/images/100000113", {"name": "mine"})[0] == 403
    assert api.error("DELETE", "/v2/images/100000113")[0] == 403
    assert api.error("POST", "/v2/images", {"name": "x", "url": "http://x.test/i", "region": "fra1"})[0] == 403
    api.delete(path)


# SSH keys


def test_a_key_lives_under_its_number_and_its_fingerprint(api: Api) -> None:
    key = api.post("/v2/account/keys", {"name": "laptop", "public_key": f"{KEY} me@here\n"})["ssh_key"]
    assert len(key["fingerprint"].split(":")) == 16
    for identifier in (key["id"], key["fingerprint"]):
        assert api.get(f"/v2/account/keys/{identifier}")["ssh_key"] == key
    assert api.put(f"/v2/account/keys/{key['id']}", {"name": "desk"})["ssh_key"]["name"] == "desk"
    status, message = api.error("POST", "/v2/account/keys", {"name": "again", "public_key": KEY})
    assert (status, message) == (422, "SSH Key is already in use on your account")
    api.delete(f"/v2/account/keys/{key['fingerprint']}")
    assert api.get("/v2/account/keys")["ssh_keys"] == []


def test_the_fingerprint_is_the_one_that_ssh_prints(api: Api) -> None:
    key = api.post("/v2/account/keys", {"name": "k", "public_key": KEY})["ssh_key"]
    assert key["fingerprint"] == "25:86:ee:27:8d:5b:e4:94:ad:84:f8:dc:20:86:3b:f1"


@pytest.mark.parametrize(
    "text", ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA", "hello world"]
)
def test_a_key_that_is_none_is_refused(api: Api, text: str) -> None:
    assert api.error("POST", "/v2/account/keys", {"name": "k", "public_key": text})[0] == 422


# Tags


def test_a_tag_keeps_its_first_spelling(api: Api) -> None:
    assert api.post("/v2/tags", {"name": "Web"})["tag"]["name"] == "Web"
    assert api.post("/v2/tags", {"name": "web"})["tag"]["name"] == "Web"
    assert api.droplet(tags=["WEB"])["tags"] == ["Web"]
    assert api.get("/v2/tags/wEB")["tag"]["resources"]["droplets"]["count"] == 1


def test_a_tag_counts_every_kind_and_names_the_last(api: Api) -> None:
    number = api.droplet(tags=["a"])["id"]
    volume = api.volume(tags=["a"])["id"]
    resources = api.get("/v2/tags/a")["tag"]["resources"]
    assert resources["count"] == 2
    for kind in ("droplets", "images", "volumes", "volume_snapshots", "databases"):
        assert resources[kind]["count"] in {0, 1}
    assert resources["droplets"]["last_tagged_uri"] == f"https://api.digitalocean.com/v2/droplets/{number}"
    assert resources["last_tagged_uri"] == f"https://api.digitalocean.com/v2/volumes/{volume}"


def test_resources_are_tagged_and_untagged(api: Api) -> None:
    volume = api.volume()["id"]
    api.post("/v2/tags", {"name": "a"})
    body = {"resources": [{"resource_id": volume, "resource_type": "volume"}]}
    for _ in range(2):
        api.post("/v2/tags/a/resources", body, 204)
    assert api.get(f"/v2/volumes/{volume}")["volume"]["tags"] == ["a"]
    for _ in range(2):
        api.delete("/v2/tags/a/resources", body=body)
    assert api.get(f"/v2/volumes/{volume}")["volume"]["tags"] == []
    gone = {"resources": [{"resource_id": "1", "resource_type": "droplet"}]}
    assert api.error("POST", "/v2/tags/a/resources", gone)[0] == 404
    wrong = {"resources": [{"resource_id": "1", "resource_type": "moon"}]}
    assert api.error("POST", "/v2/tags/a/resources", wrong)[0] == 422


@pytest.mark.parametrize("name", ["", "a b", "x" * 256, "ä"])
def test_a_tag_that_is_none_is_refused(api: Api, name: str) -> None:
    assert api.error("POST", "/v2/tags", {"name": name})[0] == 422


# Projects


def project(**changes: Any) -> dict[str, Any]:
    return {"name": "staging", "purpose": "Service or API", **changes}


def test_there_is_always_a_default_project(api: Api) -> None:
    listed = api.get("/v2/projects")["projects"]
    assert [item["is_default"] for item in listed] == [True]
    assert api.get("/v2/projects/default")["project"] == listed[0]
    assert api.error("DELETE", f"/v2/projects/{listed[0]['id']}")[0] == 412


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Web Application", "Web Application"),
        ("Staging of an ERP", "Other: Staging of an ERP"),
        ("Other: x", "Other: x"),
    ],
)
def test_an_unlisted_purpose_is_marked(api: Api, sent: str, shown: str) -> None:
    assert api.post("/v2/projects", project(purpose=sent))["project"]["purpose"] == shown


def test_a_project_is_changed_and_null_leaves_things_alone(api: Api) -> None:
    made = api.post("/v2/projects", project(environment="staging", description="d"))["project"]
    assert made["environment"] == "Staging"
    path = f"/v2/projects/{made['id']}"
    unset = {"name": None, "description": None, "purpose": None, "environment": None, "is_default": None}
    assert api.patch(path, {**unset, "description": "e"})["project"] == {**made, "description": "e"}
    assert api.put(path, project(is_default=True))["project"]["is_default"] is True
    assert [item["is_default"] for item in api.get("/v2/projects")["projects"]] == [False, True]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "taken"}, 409),
        ({"name": ""}, 422),
        ({"name": "x" * 176}, 422),
        ({"purpose": None}, 422),
        ({"environment": "Moon"}, 422),
    ],
)
def test_a_project_that_can_not_be_is_refused(api: Api, change: dict[str, Any], status: int) -> None:
    api.post("/v2/projects", project(name="taken"))
    assert api.error("POST", "/v2/projects", project(**change))[0] == status


def test_resources_are_in_one_project_each(api: Api) -> None:
    number = api.droplet()["id"]
    volume = api.volume()["id"]
    api.post("/v2/domains", {"name": "a.test"})
    address = api.post("/v2/reserved_ips", {"region": "fra1"}, 202)["reserved_ip"]
    urns = [f"do:droplet:{number}", f"do:volume:{volume}", "do:domain:a.test", f"do:floatingip:{address['ip']}"]
    assert {item["urn"] for item in api.get("/v2/projects/default/resources")["resources"]} == set(urns)
    made = api.post("/v2/projects", project())["project"]
    path = f"/v2/projects/{made['id']}/resources"
    answer = api.post(path, {"resources": urns}, 200)["resources"]
    assert {item["status"] for item in answer} == {"assigned"}
    assert {item["status"] for item in api.post(path, {"resources": urns[:1]}, 200)["resources"]} == {
        "already_assigned"
    }
    missing = api.post(path, {"resources": ["do:droplet:9"]}, 200)["resources"]
    assert missing[0]["status"] == "not_found"
    assert api.get("/v2/projects/default/resources")["resources"] == []
    assert api.get(f"/v2/reserved_ips/{address['ip']}")["reserved_ip"]["project_id"] == made["id"]
    status, message = api.error("DELETE", f"/v2/projects/{made['id']}")
    assert (status, "cannot delete a project with resources" in message) == (412, True)
    api.delete(f"/v2/droplets/{number}")
    api.post("/v2/projects/default/resources", {"resources": urns[1:]}, 200)
    api.delete(f"/v2/projects/{made['id']}")


def test_the_newer_word_for_addresses_is_understood_and_given_back(api: Api) -> None:
    address = api.post("/v2/reserved_ips", {"region": "fra1"}, 202)["reserved_ip"]["ip"]
    made = api.post("/v2/projects", project())["project"]
    urn = f"do:reservedip:{address}"
    path = f"/v2/projects/{made['id']}/resources"
    # The published description lags behind the clients here.
    assert api.call("POST", path, {"resources": [urn]}, described=False).status == 200
    assert [item["urn"] for item in api.call("GET", path, described=False).body["resources"]] == [urn]


@pytest.mark.parametrize("urn", ["do:vpc:1", "nonsense", "do:droplet:"])
def test_what_has_no_project_is_refused(api: Api, urn: str) -> None:
    assert api.error("POST", "/v2/projects/default/resources", {"resources": [urn]})[0] == 400


# Alerts


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "type": "v1/insights/droplet/cpu",
        "description": "cpu",
        "compare": "GreaterThan",
        "value": 80,
        "window": "5m",
        "entities": ["1"],
        "tags": ["web"],
        "alerts": {"email": ["ops@example.test"], "slack": []},
        "enabled": True,
        **changes,
    }


def test_an_alert_lives(api: Api) -> None:
    made = api.post("/v2/monitoring/alerts", alert(), 200)["policy"]
    assert made.pop("uuid") == api.get("/v2/monitoring/alerts")["policies"][0]["uuid"]
    assert made == alert()
    path = f"/v2/monitoring/alerts/{api.get('/v2/monitoring/alerts')['policies'][0]['uuid']}"
    slack = {"email": [], "slack": [{"channel": "#ops", "url": "https://hooks.test/x"}]}
    assert api.put(path, alert(value=90.5, alerts=slack, enabled=False))["policy"]["value"] == 90.5
    assert api.get(path)["policy"]["alerts"] == slack
    api.delete("/v2/tags/web")
    assert api.get(path)["policy"]["tags"] == []
    api.delete(path)
    api.get(path, 404)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "v1/insights/droplet/mood"},
        {"compare": "Equals"},
        {"value": "much"},
        {"value": True},
        {"window": "7m"},
        {"alerts": {}},
        {"alerts": {"slack": [{"channel": "#x"}]}},
        {"enabled": 1},
        {"tags": "web"},
    ],
)
def test_an_alert_that_can_not_be_is_refused(api: Api, change: dict[str, Any]) -> None:
    assert api.error("POST", "/v2/monitoring/alerts", alert(**change))[0] == 422
