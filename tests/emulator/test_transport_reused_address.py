"""An address that a droplet had and another one has now: whoever knew the first tells the second nothing."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from livelab import SERVING_S, Live, live_home, wait_for

from infra.errors import AuthenticationError
from infra.host.baseline import BaselineProvider
from infra.host.host_key import HostKeyProvider, PinnedHostProvider
from infra.host.keys import BootstrapProvider, new_key_pair
from infra.host.resource import endpoint_of
from infra.transport.link import Link
from infra.transport.pool import close_all
from infra.transport.testing import packets_up, relay
from localcloud.digitalocean.machinery import home_label

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.docker, pytest.mark.droplet, pytest.mark.timeout(300)]

CIDR = f"10.93.{os.getpid() % 256}.0/24"
"""Other clouds on this machine have networks too."""
LOGIN = new_key_pair()
"""Both droplets know it: a login would succeed, if it were tried."""


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with live_home(tmp_path_factory.mktemp("reused")) as directory:
        yield directory
        close_all()


class Booted:
    """A droplet that the cloud has just made, and how it is first reached."""

    def __init__(self, api: Live, home: Path, vpc: str, key: str) -> None:
        boot: dict[str, Any] = BootstrapProvider().create({"generation": 1}).outs or {}
        wanted = {"name": "web", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "vpc_uuid": vpc}
        made = api.ask("POST", "/v2/droplets", **wanted, ssh_keys=[key], user_data=boot["user_data"])["droplet"]
        self.number: int = made["id"]
        addresses = api.droplet(self.number)["networks"]["v4"]
        self.address = next(each["ip_address"] for each in addresses if each["type"] == "public")
        self._name = f"greenroom-{home_label(home)}-droplet-{self.number}"
        self.first: dict[str, Any] = {
            "machine": str(self.number),
            "host": self.address,
            "port": 22.0,
            "user": "root",
            "private_key": LOGIN[1],
            "host_key": boot["host_key"],
            "login": LOGIN[0],
        }

    def journal(self) -> str:
        """Return what sshd wrote on the droplet itself."""
        argv = ["docker", "exec", self._name, "journalctl", "-t", "sshd", "-t", "sshd-session", "-o", "cat"]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


def settled(droplet: Booted) -> tuple[dict[str, Any], dict[str, Any]]:
    """Do what a deployment begins with; return the pinned connection and the state of a resource behind it."""
    key = HostKeyProvider().create({"connection": droplet.first}).outs or {}
    pin = PinnedHostProvider().create({"connection": droplet.first, "public_key": key["public_key"]}).outs or {}
    reach = {**droplet.first, "host_key": pin["host_key"]}
    wanted = {"connection": reach, "user": "deploy", "authorized_keys": [LOGIN[0]], "packages": []}
    return reach, BaselineProvider().create(wanted).outs or {}


def test_the_next_droplet_at_an_address_is_told_nothing(home: Path) -> None:
    api = Live(home)
    vpc = api.ask("POST", "/v2/vpcs", name="reused", region="fra1", ip_range=CIDR)["vpc"]["id"]
    key = api.ask("POST", "/v2/account/keys", name="login", public_key=LOGIN[0])["ssh_key"]["fingerprint"]
    old = Booted(api, home, vpc, key)
    reach, state = settled(old)
    assert BaselineProvider().read("baseline", state).outs["reachable"]  # type: ignore[index] (what it read)
    close_all()  # a later run is another process
    api.ask("DELETE", f"/v2/droplets/{old.number}")

    new = Booted(api, home, vpc, key)
    assert (new.address, new.number != old.number) == (old.address, True)
    wait_for(lambda: _presents_its_key(new), SERVING_S, bool)
    since = new.journal()
    with relay(endpoint_of(reach)) as (wire, through):
        known = {**reach, "host": through.host, "port": float(through.port)}
        stale = {**state, "connection": known}
        with pytest.raises(AuthenticationError, match="another key"):
            BaselineProvider().read("baseline", stale)
        with pytest.raises(AuthenticationError, match="another key"):
            BaselineProvider().update("baseline", stale, stale)
        BaselineProvider().delete("baseline", stale)  # takes nothing from a machine that is another one by now
        with pytest.raises(AuthenticationError, match="nothing was sent"):
            Link(endpoint_of(known))

    assert wire.passages
    for passage in wire.passages:
        packets = list(packets_up(bytes(passage.up)))
        assert len(passage.up) == packets[-1][1], "not one byte after the exchange of keys"
    written = new.journal().removeprefix(since)
    assert "Accepted" not in written
    assert "authenticating user" not in written

    settled(new)  # the proof can fail: who knows the new droplet is let in, with the same login
    assert "Accepted publickey for root" in new.journal()


def _presents_its_key(droplet: Booted) -> bool:
    """Tell whether the droplet serves the key of its own boot; asks for nothing but the key."""
    argv = ["ssh-keyscan", "-T", "2", "-t", "ed25519", droplet.address]
    seen = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout
    return " ".join(droplet.first["host_key"].split()[:2]) in seen
