"""The whole cloud with droplets that boot: addresses, firewalls and restarts as they are on the wire."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from livelab import ACTIVE_S, SERVING_S, Live, live_home, wait_for

from localcloud import cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.docker, pytest.mark.droplet]

CIDR = f"10.92.{os.getpid() % 256}.0/24"
"""Other clouds on this machine have networks too."""
USER_DATA = """#cloud-config
write_files:
  - path: /etc/systemd/system/page@.service
    content: |
      [Service]
      ExecStart=/usr/bin/python3 -m http.server %i --directory /mnt
runcmd:
  - systemctl start page@80 page@8080
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with live_home(tmp_path_factory.mktemp("live")) as directory:
        yield directory


def is_open(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True


def doors(address: str) -> list[int]:
    return [port for port in (80, 8080) if is_open(address, port)]


def accept(*ports: int) -> list[dict[str, Any]]:
    return [{"protocol": "tcp", "ports": str(port), "sources": {"addresses": ["0.0.0.0/0"]}} for port in ports]


@pytest.mark.timeout(300)
def test_a_droplet_lives_through_everything(home: Path) -> None:
    api = Live(home)
    vpc = api.ask("POST", "/v2/vpcs", name="live", region="fra1", ip_range=CIDR)["vpc"]
    volume = api.ask("POST", "/v2/volumes", name="web-data", region="fra1", size_gigabytes=1)["volume"]
    wanted = {"name": "web", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64"}
    more = {"vpc_uuid": vpc["id"], "volumes": [volume["id"]], "user_data": USER_DATA}
    began = time.monotonic()
    number = api.ask("POST", "/v2/droplets", **wanted, **more)["droplet"]["id"]
    droplet = api.droplet(number)
    took_s = time.monotonic() - began
    assert droplet["status"] == "active", str(api.ask("GET", "/v2/actions"))[-900:]
    assert took_s < ACTIVE_S
    address = next(item["ip_address"] for item in droplet["networks"]["v4"] if item["type"] == "public")
    wait_for(lambda: doors(address), SERVING_S, lambda seen: seen == [80, 8080])
    assert "web_data" in httpx.get(f"http://{address}/", trust_env=False).text

    firewall = api.ask("POST", "/v2/firewalls", name="fw", droplet_ids=[number], inbound_rules=accept(22, 80))[
        "firewall"
    ]
    assert doors(address) == [80]
    api.ask("POST", f"/v2/firewalls/{firewall['id']}/rules", inbound_rules=accept(8080))
    assert doors(address) == [80, 8080]
    api.ask("DELETE", f"/v2/firewalls/{firewall['id']}/rules", inbound_rules=accept(80))
    assert doors(address) == [8080]

    reserved = api.ask("POST", "/v2/reserved_ips", droplet_id=number)["reserved_ip"]["ip"]
    assert doors(reserved) == [8080]
    api.ask("POST", f"/v2/reserved_ips/{reserved}/actions", type="unassign")
    assert doors(reserved) == []

    cloud.stop(home)
    assert doors(address) == [8080]
    api = Live(home)
    assert api.droplet(number)["status"] == "active"
    assert doors(address) == [8080]

    api.act(number, "power_off")
    assert doors(address) == []
    api.act(number, "power_on")
    wait_for(lambda: is_open(address, 22), SERVING_S, bool)

    api.ask("DELETE", f"/v2/droplets/{number}")
    assert not is_open(address, 22)
    api.ask("DELETE", f"/v2/volumes/{volume['id']}")
    api.ask("DELETE", f"/v2/vpcs/{vpc['id']}")
