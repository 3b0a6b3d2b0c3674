"""DigitalOcean's own Python client against the local cloud, over HTTP and over HTTPS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from apilab import wait_for
from azure.core.exceptions import HttpResponseError
from pydo import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.digitalocean.server import CloudServer

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHfj/iYAzVGAwEfTOxfEw6wnEH0Jx3sBCWU2bqbu9Wsz k"


@pytest.fixture(params=["http", "https"])
def access(request: pytest.FixtureRequest, server: CloudServer) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The client, and what each of its calls needs."""
    options: dict[str, Any] = {"enforce_https": False} if request.param == "http" else {}
    if request.param == "https":
        options["connection_verify"] = str(server.certificates.authority)
    with Client("dop_v1_x", endpoint=server.urls[request.param]) as client:
        yield client, options


def test_a_deployment_is_made_and_taken_down(access: tuple[Any, dict[str, Any]]) -> None:
    do, options = access
    key = do.ssh_keys.create({"name": "k", "public_key": KEY}, **options)["ssh_key"]
    vpc = do.vpcs.create({"name": "net", "region": "fra1", "ip_range": "10.20.0.0/24"}, **options)["vpc"]
    volume = do.volumes.create({"name": "data", "region": "fra1", "size_gigabytes": 10}, **options)["volume"]
    wanted = {"name": "web", "region": "fra1", "size": "s-2vcpu-4gb", "image": "debian-13-x64"}
    answer = do.droplets.create(
        {**wanted, "ssh_keys": [key["id"]], "vpc_uuid": vpc["id"], "volumes": [volume["id"]]}, **options
    )
    action = answer["links"]["actions"][0]["id"]
    wait_for(lambda: do.actions.get(action, **options)["action"]["status"], lambda status: status == "completed")
    number = answer["droplet"]["id"]
    assert do.droplets.get(number, **options)["droplet"]["status"] == "active"
    address = do.reserved_ips.create({"droplet_id": number}, **options)["reserved_ip"]
    assert do.reserved_ips.get(address["ip"], **options)["reserved_ip"]["droplet"]["id"] == number
    do.domains.create({"name": "a.test"}, **options)
    record = {"type": "A", "name": "@", "data": address["ip"]}
    assert do.domains.create_record("a.test", record, **options)["domain_record"]["ttl"] == 1800
    project = do.projects.create({"name": "p", "purpose": "Web Application"}, **options)["project"]
    urns = {"resources": [f"do:droplet:{number}"]}
    assert do.projects.assign_resources(project["id"], urns, **options)["resources"][0]["status"] == "assigned"
    do.droplets.destroy(number, **options)
    do.volumes.delete(volume["id"], **options)
    do.vpcs.delete(vpc["id"], **options)
    assert do.droplets.list(**options)["droplets"] == []


def test_what_is_missing_comes_back_as_the_error_body(access: tuple[Any, dict[str, Any]]) -> None:
    do, options = access
    assert do.droplets.get(1, **options)["id"] == "not_found"


def test_what_is_refused_is_raised(access: tuple[Any, dict[str, Any]]) -> None:
    do, options = access
    with pytest.raises(HttpResponseError) as refusal:
        do.vpcs.create({"name": "a b", "region": "fra1"}, **options)
    assert refusal.value.status_code == 422
