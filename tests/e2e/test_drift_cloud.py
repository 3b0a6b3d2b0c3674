"""What is changed by hand in the cloud: found in its layer, under its resource, and mended by `drift --revert`.

Deploys a stack of its own and makes seven changes one by one, so it runs with GREENROOM_DRIFT_MATRIX=full only.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.droplet,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(
        os.environ.get("GREENROOM_DRIFT_MATRIX") != "full", reason="GREENROOM_DRIFT_MATRIX=full deploys a stack for it"
    ),
]
SIZES = ("s-4vcpu-8gb", "s-2vcpu-4gb")
VENV = Path(__file__).resolve().parents[2] / ".venv"


class Cloud:
    """The cloud's API, by hand."""

    def __init__(self, url: str) -> None:
        self._url = url

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - an address on loopback
            f"{self._url}/v2{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": "Bearer by-hand", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return json.loads(answer.read() or b"null")

    @property
    def droplet(self) -> dict[str, Any]:
        return self.call("GET", "/droplets")["droplets"][0]

    def act(self, path: str, **action: Any) -> None:
        """Start an action and wait for its end."""
        action = self.call("POST", path, action)["action"]
        deadline = time.monotonic() + 60
        while action["status"] == "in-progress" and time.monotonic() < deadline:
            time.sleep(0.2)
            action = self.call("GET", f"/actions/{action['id']}")["action"]
        assert action["status"] == "completed", action


def open_firewall(cloud: Cloud) -> None:
    (firewall,) = cloud.call("GET", "/firewalls")["firewalls"]
    rule = {"protocol": "tcp", "ports": "5432", "sources": {"addresses": ["0.0.0.0/0"]}}
    cloud.call("POST", f"/firewalls/{firewall['id']}/rules", {"inbound_rules": [rule]})


def repoint_record(cloud: Cloud) -> None:
    (zone,) = cloud.call("GET", "/domains")["domains"]
    records = cloud.call("GET", f"/domains/{zone['name']}/records")["domain_records"]
    record = next(each for each in records if each["type"] == "A")
    cloud.call("PUT", f"/domains/{zone['name']}/records/{record['id']}", {"type": "A", "data": "203.0.113.66"})


def untag_droplet(cloud: Cloud) -> None:
    droplet = cloud.droplet
    resource = {"resource_id": str(droplet["id"]), "resource_type": "droplet"}
    cloud.call("DELETE", f"/tags/{droplet['tags'][0]}/resources", {"resources": [resource]})


def change_alert(cloud: Cloud) -> None:
    policies = cloud.call("GET", "/monitoring/alerts")["policies"]
    policy = next(each for each in policies if each["type"].endswith("/cpu"))
    cloud.call("PUT", f"/monitoring/alerts/{policy['uuid']}", {**policy, "value": 99})


def switch_off(cloud: Cloud) -> None:
    cloud.act(f"/droplets/{cloud.droplet['id']}/actions", type="power_off")


def resize(cloud: Cloud) -> None:
    size = next(each for each in SIZES if each != cloud.droplet["size_slug"])  # another test may have adopted the first
    switch_off(cloud)
    cloud.act(f"/droplets/{cloud.droplet['id']}/actions", type="resize", size=size, disk=False)
    cloud.act(f"/droplets/{cloud.droplet['id']}/actions", type="power_on")


def detach_volume(cloud: Cloud) -> None:
    (volume,) = cloud.call("GET", "/volumes")["volumes"]
    cloud.act(f"/volumes/{volume['id']}/actions", type="detach", droplet_id=cloud.droplet["id"])


BY_HAND: dict[str, tuple[Callable[[Cloud], None], str, str]] = {
    "firewall opened": (open_firewall, "firewall", "inboundRules"),
    "record changed": (repoint_record, "record", "value"),
    "tag removed": (untag_droplet, "droplet", "tags"),
    "alert changed": (change_alert, "cpu", "value"),
    "powered off": (switch_off, "droplet", "status"),
    "resized": (resize, "droplet", "size"),
    "volume detached": (detach_volume, "droplet", "volumeIds"),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("drift"))
    (desk.directory / ".venv").symlink_to(VENV)
    desk.edit("Pulumi.local.yaml", "10.20.0.0/24", "10.24.0.0/24")
    with pytest.MonkeyPatch.context() as environment:
        # Nobody looks so often; without a pace these tests would come to the API's limit of 250 requests a minute.
        environment.setenv("DIGITALOCEAN_REQUESTS_PER_SECOND", "3")
        try:
            desk.greenroom("up", "-s", "local", "--yes", "--skip-verify")
            yield desk
        finally:
            desk.greenroom("destroy", "-s", "local", "--yes", check=None)
            desk.greenroom("cloud", "reset", "--yes", check=None)


@pytest.fixture(scope="module")
def cloud(desk: Desk) -> Cloud:
    return Cloud(desk.greenroom("cloud", "status", "--json").document["environment"]["DIGITALOCEAN_API_URL"])


@pytest.mark.parametrize("name", BY_HAND)
def test_a_change_in_the_cloud_is_named_and_mended(desk: Desk, cloud: Cloud, name: str) -> None:
    change, resource, where = BY_HAND[name]
    change(cloud)
    state = next((desk.home / ".pulumi" / "stacks").rglob("local.json"))
    before = state.read_bytes()

    document = desk.greenroom("drift", "-s", "local", "--json").document
    found = {(each["layer"], each["resource"], each["property"]) for each in document["findings"]}
    assert ("digitalocean", resource, where) in found, document["findings"]
    assert state.read_bytes() == before, "a look must not touch the state"
    desk.greenroom("drift", "-s", "local", "--expect-no-changes", check=7)

    desk.greenroom("drift", "-s", "local", "--revert")
    assert desk.greenroom("drift", "-s", "local", "--json").document["findings"] == []


def test_a_resize_can_be_adopted(desk: Desk, cloud: Cloud) -> None:
    resize(cloud)
    document = desk.greenroom("drift", "-s", "local", "--json", "--adopt", "droplet").document
    assert document["adopted"] == [{"file": "Pulumi.local.yaml", "key": "droplet.size"}]
    assert "size: s-4vcpu-8gb" in (desk.directory / "Pulumi.local.yaml").read_text()
    desk.greenroom("up", "-s", "local", "--yes", "--refresh", "--skip-verify")
    assert cloud.droplet["size_slug"] == "s-4vcpu-8gb"
    assert desk.greenroom("drift", "-s", "local", "--json").document["findings"] == []
