"""What happens when the cloud refuses, breaks, falls silent or takes long: nothing twice, nothing lost, no secret."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import grpc
import pytest
from faults import Link, open_link
from google.protobuf.empty_pb2 import Empty
from providerlab import OWN, TOKEN, FailedError, HalfDoneError, Made, Plugin
from samples import public_key

from localcloud.provider.protocol import provider_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from providerlab import Cloud

    from localcloud.provider.values import Properties

DROPLET = {"name": "lost", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64"}
ALERT = {
    "type": "v1/insights/droplet/cpu",
    "compare": "GreaterThan",
    "description": "Lost",
    "value": 70,
    "window": "5m",
    "alerts": {"emails": ["ops@example.com"]},
}


@pytest.fixture(scope="module")
def link(cloud: Cloud) -> Iterator[Link]:
    with open_link(cloud.url) as opened:
        yield opened


@pytest.fixture(scope="module")
def shaky(link: Link) -> Iterator[Plugin]:
    plugin = Plugin(OWN, link.url, httpRetryWaitMin="0.01", httpRetryWaitMax="0.05")
    yield plugin
    plugin.close()


@pytest.fixture(autouse=True)
def _mended(link: Link) -> Iterator[None]:
    yield
    link.faults.clear()
    link.requests.clear()


class TestARefusal:
    def test_tells_what_failed_why_and_what_next(self, provider: Plugin) -> None:
        with pytest.raises(FailedError) as caught:
            provider.create("Vpc", {"name": "public", "region": "fra1", "ipRange": "8.8.8.0/24"}, name="net")
        text = str(caught.value)
        assert text.startswith("Vpc net: vpcs.create: the API answered 422 unprocessable_entity: ")
        assert "(request " in text
        assert "\n  next: correct the resource's inputs in the program" in text

    def test_of_the_token_asks_for_another_and_never_shows_it(self, link: Link) -> None:
        link.break_next("GET", "/v2/tags/x", "refuse", status=401)
        plugin = Plugin(OWN, link.url)
        with pytest.raises(FailedError, match="set DIGITALOCEAN_TOKEN") as caught:
            plugin.read(Made("Tag", "x", {"name": "x"}, {"name": "x"}))
        assert caught.value.code == grpc.StatusCode.UNAUTHENTICATED
        assert TOKEN not in str(caught.value)
        plugin.close()

    def test_for_lack_of_a_token_comes_with_the_first_request_only(self, cloud: Cloud) -> None:
        plugin = Plugin(OWN, cloud.url, token="")
        assert plugin.preview("Tag", {"name": "planned"})["name"] == "planned"
        with pytest.raises(FailedError, match="There is no DigitalOcean API token") as caught:
            plugin.create("Tag", {"name": "made"})
        assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
        plugin.close()

    def test_of_a_connection_names_the_address(self) -> None:
        plugin = Plugin(OWN, "http://127.0.0.1:9", httpRetryWaitMin="0.01")
        with pytest.raises(FailedError, match=r"http://127\.0\.0\.1:9 can't be reached"):
            plugin.create("Tag", {"name": "made"})
        plugin.close()

    def test_of_an_endpoint_without_encryption_comes_before_the_token_is_sent(self) -> None:
        with pytest.raises(FailedError, match="must be an https address, or a loopback one"):
            Plugin(OWN, "http://example.com")

    def test_of_a_data_source_names_it(self, provider: Plugin) -> None:
        request = provider_pb2.InvokeRequest(tok="digitalocean:index/getImage:getImage")
        with pytest.raises(FailedError, match="getImage: this provider has no data sources"):
            provider.call("Invoke", request)

    def test_of_an_unknown_kind_lists_the_known_ones(self, provider: Plugin) -> None:
        request = provider_pb2.CheckRequest(urn="urn:pulumi:a::b::digitalocean:index/app:App::x")
        with pytest.raises(FailedError, match="use one of DnsRecord, Domain, Droplet") as caught:
            provider.call("Check", request)
        assert caught.value.code == grpc.StatusCode.UNIMPLEMENTED


class TestARequestThatMayBeRepeated:
    @pytest.mark.parametrize(
        ("way", "status", "headers"),
        [
            ("refuse", 500, {}),
            ("refuse", 503, {}),
            ("refuse", 429, {"retry-after": "0"}),
            ("cut", 0, {}),
            ("lose", 0, {}),
        ],
    )
    def test_is_repeated(self, shaky: Plugin, link: Link, way: str, status: int, headers: dict[str, str]) -> None:
        tag = shaky.create("Tag", {"name": "repeated"})
        link.break_next("GET", "/v2/tags/repeated", way, status=status, headers=headers, times=2)  # type: ignore[arg-type]
        assert shaky.read(tag)
        assert link.seen("GET", "/v2/tags/repeated") == 3

    def test_waits_as_long_as_the_api_asks(self, shaky: Plugin, link: Link) -> None:
        tag = shaky.create("Tag", {"name": "patient"})
        link.break_next("GET", "/v2/tags/patient", "refuse", status=429, headers={"retry-after": "1"})
        began = time.monotonic()
        assert shaky.read(tag)
        assert time.monotonic() - began >= 1

    def test_ends_after_the_last_retry(self, shaky: Plugin, link: Link) -> None:
        tag = shaky.create("Tag", {"name": "hopeless"})
        link.break_next("GET", "/v2/tags/hopeless", "refuse", status=500, times=99)
        with pytest.raises(FailedError, match="500 injected: made up"):
            shaky.read(tag)
        assert link.seen("GET", "/v2/tags/hopeless") == 3

    def test_is_not_sent_again_when_it_was_deleted_though_the_answer_got_lost(self, shaky: Plugin, link: Link) -> None:
        tag = shaky.create("Tag", {"name": "deleted"})
        link.break_next("DELETE", "/v2/tags/deleted", "lose")
        shaky.delete(tag)
        assert shaky.read(tag) is None


class TestACreationWhoseAnswerIsLost:
    CASES: tuple[tuple[str, str, str, str, Properties], ...] = (
        ("Vpc", "/vpcs", "vpcs", "/v2/vpcs", {"name": "lost", "region": "fra1", "ipRange": "10.70.0.0/24"}),
        ("SshKey", "/account/keys", "ssh_keys", "/v2/account/keys", {"name": "lost", "publicKey": public_key()}),
        ("Droplet", "/droplets", "droplets", "/v2/droplets", DROPLET),
        ("Volume", "/volumes", "volumes", "/v2/volumes", {"name": "lost", "region": "fra1", "size": 1}),
        ("Domain", "/domains", "domains", "/v2/domains", {"name": "lost.example.com"}),
        ("Project", "/projects", "projects", "/v2/projects", {"name": "lost", "purpose": "x"}),
        ("MonitorAlert", "/monitoring/alerts", "policies", "/v2/monitoring/alerts", ALERT),
        (
            "Firewall",
            "/firewalls",
            "firewalls",
            "/v2/firewalls",
            {"name": "lost", "inboundRules": [{"protocol": "icmp", "sourceAddresses": ["0.0.0.0/0"]}]},
        ),
    )

    @pytest.mark.parametrize("way", ["lose", "cut"])
    @pytest.mark.parametrize(("kind", "path", "key", "wire", "inputs"), CASES, ids=[case[0] for case in CASES])
    def test_is_adopted_or_made_again_but_never_twice(
        self,
        *,
        shaky: Plugin,
        link: Link,
        cloud: Cloud,
        kind: str,
        path: str,
        key: str,
        wire: str,
        inputs: Properties,
        way: str,
    ) -> None:
        link.break_next("POST", wire, way)  # type: ignore[arg-type]
        made = shaky.create(kind, inputs)
        assert cloud.count(path, key, "lost") == 1
        assert link.seen("POST", wire) == (1 if way == "lose" else 2)
        assert not shaky.diff(made, made.inputs).changed
        shaky.delete(made)

    def test_of_a_record_finds_the_same_record(self, shaky: Plugin, link: Link, cloud: Cloud) -> None:
        domain = shaky.create("Domain", {"name": "records.example.com"})
        link.break_next("POST", "/v2/domains/records.example.com/records", "lose")
        inputs = {"domain": domain.id, "type": "A", "name": "www", "value": "203.0.113.1", "ttl": 300}
        record = shaky.create("DnsRecord", inputs)
        path = "/domains/records.example.com/records"
        found = [each for each in cloud.hand("GET", path)["domain_records"] if each["name"] == "www"]
        assert [str(each["id"]) for each in found] == [record.id]
        shaky.delete(domain)

    def test_of_a_reserved_ip_is_left_to_a_person(self, shaky: Plugin, link: Link, cloud: Cloud) -> None:
        link.break_next("POST", "/v2/reserved_ips", "lose")
        with pytest.raises(FailedError, match=r"it may be .*127\.0\.20\.\d+"):
            shaky.create("ReservedIp", {"region": "fra1"})
        for each in cloud.hand("GET", "/reserved_ips")["reserved_ips"]:
            cloud.hand("DELETE", f"/reserved_ips/{each['ip']}")

    def test_of_an_assignment_looks_where_the_address_points(self, shaky: Plugin, link: Link) -> None:
        droplet = shaky.create("Droplet", DROPLET)
        address = shaky.create("ReservedIp", {"region": "fra1"})
        link.break_next("POST", f"/v2/reserved_ips/{address.id}/actions", "lose")
        link_made = shaky.create("ReservedIpAssignment", {"ipAddress": address.id, "dropletId": droplet.id})
        assert shaky.read(link_made)
        for each in (link_made, address, droplet):
            shaky.delete(each)


class TestSomethingHalfDone:
    def test_does_not_keep_a_droplet_whose_boot_failed(self, provider: Plugin, cloud: Cloud) -> None:
        cloud.machines.fail["create"] = RuntimeError("no room")
        with pytest.raises(FailedError, match="is not active yet: its boot failed"):
            provider.create("Droplet", DROPLET | {"name": "broken"})
        assert cloud.count("/droplets", "droplets", "broken") == 0

    def test_keeps_a_droplet_that_takes_too_long_and_goes_on_with_it(self, provider: Plugin, cloud: Cloud) -> None:
        gate = cloud.machines.hold["create"] = threading.Event()
        began = time.monotonic()
        with pytest.raises(HalfDoneError, match=r"is not active yet: not within 0\.5 s") as caught:
            provider.create("Droplet", DROPLET | {"name": "slow"}, timeout=0.5)
        assert time.monotonic() - began < 3
        cloud.machines.hold.clear()
        gate.set()
        half = caught.value
        inputs = provider.checked("Droplet", DROPLET | {"name": "slow"})
        done = provider.update(Made("Droplet", half.identity, inputs, half.outputs), inputs)
        assert done.outputs["status"] == "active"
        assert done.outputs["ipv4Address"]
        provider.delete(done)

    def test_stops_waiting_when_the_run_is_cancelled(self, cloud: Cloud) -> None:
        gate = cloud.machines.hold["create"] = threading.Event()
        plugin = Plugin(OWN, cloud.url)
        threading.Timer(0.7, lambda: plugin.stub.Cancel(Empty())).start()
        began = time.monotonic()
        with pytest.raises(HalfDoneError, match="Stopped on request") as caught:
            plugin.create("Droplet", DROPLET | {"name": "cancelled"}, timeout=60)
        assert time.monotonic() - began < 5
        cloud.machines.hold.clear()
        gate.set()
        plugin.close()
        fresh = Plugin(OWN, cloud.url)
        fresh.delete(Made("Droplet", caught.value.identity, {}, caught.value.outputs))
        fresh.close()

    def test_keeps_the_first_half_of_an_update(self, shaky: Plugin, link: Link) -> None:
        volume = shaky.create("Volume", {"name": "grows", "region": "fra1", "size": 1})
        link.break_next("POST", "/v2/tags/new/resources", "refuse", status=422)
        with pytest.raises(HalfDoneError) as caught:
            shaky.update(volume, {"name": "grows", "region": "fra1", "size": 2, "tags": ["new"]})
        assert caught.value.outputs["size"] == 2
        assert "tags" not in caught.value.outputs
        half = Made("Volume", volume.id, volume.inputs, caught.value.outputs)
        done = shaky.update(half, {"name": "grows", "region": "fra1", "size": 2, "tags": ["new"]})
        assert done.outputs["tags"] == ["new"]
        shaky.delete(done)

    def test_is_a_plain_failure_when_nothing_was_done(self, shaky: Plugin, link: Link) -> None:
        volume = shaky.create("Volume", {"name": "stays", "region": "fra1", "size": 1})
        link.break_next("POST", f"/v2/volumes/{volume.id}/actions", "refuse", status=422)
        with pytest.raises(FailedError, match="422"):
            shaky.update(volume, {"name": "stays", "region": "fra1", "size": 2})
        shaky.delete(volume)

    def test_keeps_a_project_whose_resources_were_refused(self, shaky: Plugin, link: Link) -> None:
        link.break_next("POST", "/v2/projects/.*/resources", "refuse", status=422)
        with pytest.raises(HalfDoneError) as caught:
            shaky.create("Project", {"name": "half", "resources": ["do:domain:nowhere.example.com"]})
        shaky.delete(Made("Project", caught.value.identity, {}, caught.value.outputs))


def test_a_droplet_that_is_busy_is_waited_for(provider: Plugin, cloud: Cloud) -> None:
    droplet = provider.create("Droplet", DROPLET | {"name": "busy"})
    gate = cloud.machines.hold["reboot"] = threading.Event()
    cloud.hand("POST", f"/droplets/{droplet.id}/actions", {"type": "reboot"})
    threading.Timer(0.6, gate.set).start()
    renamed = provider.update(droplet, DROPLET | {"name": "renamed"})
    assert renamed.outputs["name"] == "renamed"
    cloud.machines.hold.clear()
    provider.delete(renamed)
