"""What was changed by hand is read as what it is, differs from what is wanted, and is mended by the next update."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from samples import Site

from localcloud.provider.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from providerlab import Cloud, Made, Plugin


def open_firewall(cloud: Cloud, site: dict[str, Made]) -> None:
    firewall = cloud.hand("GET", f"/firewalls/{site['firewall'].id}")["firewall"]
    firewall["inbound_rules"].append({"protocol": "tcp", "ports": "5432", "sources": {"addresses": ["0.0.0.0/0"]}})
    names = ("name", "inbound_rules", "outbound_rules", "droplet_ids", "tags")
    cloud.hand("PUT", f"/firewalls/{site['firewall'].id}", {name: firewall[name] for name in names})


def widen_firewall(cloud: Cloud, site: dict[str, Made]) -> None:
    body = {"rules": {}, "droplet_ids": [int(site["droplet"].id)]}
    cloud.hand("DELETE", f"/firewalls/{site['firewall'].id}/droplets", body)


def tag_droplet(cloud: Cloud, site: dict[str, Made]) -> None:
    cloud.hand("POST", "/tags", {"name": "by-hand"})
    resource = {"resource_id": site["droplet"].id, "resource_type": "droplet"}
    cloud.hand("POST", "/tags/by-hand/resources", {"resources": [resource]})


def rename_droplet(cloud: Cloud, site: dict[str, Made]) -> None:
    cloud.hand("POST", f"/droplets/{site['droplet'].id}/actions", {"type": "rename", "name": "by-hand"})


def repoint_record(cloud: Cloud, site: dict[str, Made]) -> None:
    path = f"/domains/{site['domain'].id}/records/{site['record'].id}"
    cloud.hand("PUT", path, {"type": "A", "name": "staging", "data": "203.0.113.66", "ttl": 60})


def silence_alert(cloud: Cloud, site: dict[str, Made]) -> None:
    policy = cloud.hand("GET", f"/monitoring/alerts/{site['alert'].id}")["policy"]
    cloud.hand("PUT", f"/monitoring/alerts/{site['alert'].id}", {**policy, "enabled": False, "value": 99})


def rename_vpc(cloud: Cloud, site: dict[str, Made]) -> None:
    cloud.hand("PUT", f"/vpcs/{site['vpc'].id}", {"name": "by-hand", "description": "by hand"})


def rename_key(cloud: Cloud, site: dict[str, Made]) -> None:
    cloud.hand("PUT", f"/account/keys/{site['key'].id}", {"name": "by-hand"})


def unassign_address(cloud: Cloud, site: dict[str, Made]) -> None:
    cloud.hand("POST", f"/reserved_ips/{site['held'].id}/actions", {"type": "unassign"})


def rename_project(cloud: Cloud, site: dict[str, Made]) -> None:
    cloud.hand("PATCH", f"/projects/{site['project'].id}", {"name": "by-hand"})


def empty_project(cloud: Cloud, site: dict[str, Made]) -> None:
    cloud.hand("POST", "/projects/default/resources", {"resources": [f"do:droplet:{site['droplet'].id}"]})


DRIFTS: list[tuple[str, Any, set[str]]] = [
    ("firewall", open_firewall, {"inboundRules"}),
    ("firewall", widen_firewall, {"dropletIds"}),
    ("droplet", tag_droplet, {"tags"}),
    ("droplet", rename_droplet, {"name"}),
    ("record", repoint_record, {"value", "ttl"}),
    ("alert", silence_alert, {"enabled", "value"}),
    ("vpc", rename_vpc, {"name", "description"}),
    ("key", rename_key, {"name"}),
    ("held", unassign_address, {"dropletId"}),
    ("project", rename_project, {"name"}),
    ("inside", empty_project, {"resources"}),
]


@pytest.fixture(scope="module")
def site(provider: Plugin) -> dict[str, Made]:
    made = Site(provider, "drift", 63).build()
    return {label: provider.read(each) or each for label, each in made.items()}


@pytest.mark.parametrize(("label", "act", "names"), DRIFTS, ids=[act.__name__ for _, act, _ in DRIFTS])
def test_is_read_named_and_mended(
    *,
    provider: Plugin,
    cloud: Cloud,
    site: dict[str, Made],
    label: str,
    act: Callable[[Cloud, dict[str, Made]], None],
    names: set[str],
) -> None:
    made = site[label]
    act(cloud, site)
    seen = provider.read(made)
    assert seen
    difference = provider.diff(seen, made.inputs)
    assert {path.split("[")[0].split(".")[0] for path in difference.detail} == names
    assert not difference.replaces
    told = names - set(made.inputs["__defaults"])
    assert {name for name in names if seen.inputs.get(name) != made.inputs.get(name)} == told
    assert provider.diff(seen, seen.inputs).changed == (told != names)
    mended = provider.update(seen, made.inputs)
    assert not provider.diff(mended, made.inputs).changed
    again = provider.read(mended)
    assert again
    assert again.inputs == made.inputs


def test_of_a_powered_off_droplet_is_mended(provider: Plugin, cloud: Cloud, site: dict[str, Made]) -> None:
    cloud.hand("POST", f"/droplets/{site['droplet'].id}/actions", {"type": "power_off"})
    seen = provider.read(site["droplet"])
    assert seen
    assert seen.outputs["status"] == "off"
    assert provider.diff(seen, site["droplet"].inputs).detail == {"status": 4}
    assert provider.update(seen, site["droplet"].inputs, preview=True).outputs["status"] is UNKNOWN
    mended = provider.update(seen, site["droplet"].inputs)
    assert mended.outputs["status"] == "active"


def test_of_a_cut_link_is_read_as_gone(provider: Plugin, cloud: Cloud) -> None:
    droplet = provider.create("Droplet", {"region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64"})
    address = provider.create("ReservedIp", {"region": "fra1"})
    volume = provider.create("Volume", {"region": "fra1", "size": 1})
    links = (
        provider.create("ReservedIpAssignment", {"ipAddress": address.id, "dropletId": droplet.id}),
        provider.create("VolumeAttachment", {"volumeId": volume.id, "dropletId": droplet.id}),
    )
    assert all(provider.read(link) for link in links)
    cloud.hand("POST", f"/reserved_ips/{address.id}/actions", {"type": "unassign"})
    cloud.hand("POST", f"/volumes/{volume.id}/actions", {"type": "detach", "droplet_id": int(droplet.id)})
    assert [provider.read(link) for link in links] == [None, None]
    for link in links:
        provider.delete(link)


@pytest.mark.parametrize("recorded", [{}, {"dropletId": None}], ids=["by this provider", "by the official one"])
def test_an_address_that_an_assignment_holds_does_not_differ_by_its_droplet(
    provider: Plugin, recorded: dict[str, None]
) -> None:
    droplet = provider.create("Droplet", {"region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64"})
    address = provider.create("ReservedIp", {"region": "fra1"})
    link = provider.create("ReservedIpAssignment", {"ipAddress": address.id, "dropletId": droplet.id})

    seen = provider.read(replace(address, outputs={**address.outputs, **recorded}))
    assert seen
    assert not seen.outputs.get("dropletId")
    provider.delete(link)
