"""The pure parts: checks against the property table, values on the wire, what counts as the same."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pydo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import inbound

from localcloud import provider as package
from localcloud.provider import resources, table
from localcloud.provider.api import Settings
from localcloud.provider.checks import DEFAULTS, Naming, check
from localcloud.provider.drift import observed_inputs
from localcloud.provider.states import aligned, canonical, recorded_value
from localcloud.provider.values import UNKNOWN, Properties, decode, encode, holds_unknown

TOKENS = {token.rsplit(":", 1)[1]: token for token in resources.MODULES}
DROPLET = {"image": "debian-13-x64", "size": "s-1vcpu-1gb"}
ALERT = {
    "type": "v1/insights/droplet/cpu",
    "compare": "GreaterThan",
    "description": "CPU",
    "value": 80,
    "window": "5m",
    "alerts": {"emails": ["ops@example.com"]},
}


def checked(
    kind: str, news: Properties, olds: Properties | None = None, **naming: Any
) -> tuple[Properties, dict[str, str]]:
    resource = resources.find(TOKENS[kind])
    inputs, failures = check(resource.shape, olds or {}, news, Naming("thing", **naming))
    return inputs, {each.property: each.reason for each in failures or resource.rules(inputs)}


class TestACheck:
    REFUSALS: tuple[tuple[str, Properties, dict[str, str]], ...] = (
        ("Vpc", {"region": "fra1", "iprange": "10.0.0.0/24"}, {"iprange": "unknown property; did you mean ipRange?"}),
        ("Vpc", {"region": "fra1", "zzz": 1}, {"zzz": "unknown property; take it out of the inputs"}),
        ("Vpc", {}, {"region": "missing: a string is required"}),
        ("Vpc", {"region": ""}, {"region": "must not be empty"}),
        ("Vpc", {"region": "fra1", "ipRange": "ten"}, {"ipRange": "expected a range in CIDR notation"}),
        ("Droplet", DROPLET | {"vcpus": 2}, {"vcpus": "only the API sets this property; take it out of the inputs"}),
        ("Droplet", DROPLET | {"backups": "maybe"}, {"backups": "expected a boolean, got a string"}),
        ("Droplet", DROPLET | {"tags": "web"}, {"tags": "expected an array, got a string"}),
        ("Droplet", DROPLET | {"monitoring": []}, {"monitoring": "expected a boolean, got an array"}),
        ("Droplet", DROPLET | {"image": {}}, {"image": "expected a string, got an object"}),
        (
            "Droplet",
            DROPLET | {"tags": ["ok", "not ok"]},
            {"tags[1]": "expected letters, digits, ':', '-' and '_', at most 255 of them"},
        ),
        (
            "Droplet",
            DROPLET | {"backups": False, "backupPolicy": {"plan": "daily"}},
            {"backupPolicy": "can only be set when backups are enabled"},
        ),
        (
            "Droplet",
            DROPLET | {"backups": True, "backupPolicy": {"plan": "hourly", "hour": 23}},
            {"backupPolicy.plan": "expected one of daily, weekly", "backupPolicy.hour": "expected at most 20"},
        ),
        ("Firewall", {}, {"inboundRules": "at least one inbound or outbound rule is required"}),
        (
            "Firewall",
            {"inboundRules": [{"protocol": "tcp"}, {"protocol": "icmp"}]},
            {"inboundRules[0].portRange": "required where the protocol is tcp or udp"},
        ),
        ("Firewall", {"inboundRules": [{}]}, {"inboundRules[0].protocol": "missing: it is required"}),
        (
            "Firewall",
            {"inboundRules": [inbound(22) | {"ports": "1"}]},
            {"inboundRules[0].ports": "unknown property; take it out of the inputs"},
        ),
        ("Firewall", {"dropletIds": ["x"]}, {"dropletIds[0]": "expected an integer, got a string"}),
        ("ReservedIpAssignment", {"ipAddress": "1.2.3", "dropletId": 1}, {"ipAddress": "expected an IPv4 address"}),
        ("Volume", {"region": "fra1", "size": 0}, {"size": "expected at least 1"}),
        ("Volume", {"region": "fra1", "size": 1.5}, {"size": "expected an integer, got a number"}),
        ("Volume", {"region": "fra1", "size": True}, {"size": "expected an integer, got a boolean"}),
        (
            "Volume",
            {"region": "fra1", "size": 1, "filesystemType": "xfs", "initialFilesystemType": "xfs"},
            {"filesystemType": "conflicts with initialFilesystemType; take it out"},
        ),
        (
            "DnsRecord",
            {"domain": "a.test", "type": "MX", "value": "b"},
            {"priority": "required where the type is MX"},
        ),
        (
            "DnsRecord",
            {"domain": "a.test", "type": "CAA", "value": "b"},
            {"flags": "required where the type is CAA", "tag": "required where the type is CAA"},
        ),
        ("Project", {"environment": "test"}, {"environment": "expected one of development, staging, production"}),
        ("Project", {"name": "n" * 176}, {"name": "expected at most 175 characters"}),
        ("MonitorAlert", ALERT | {"alerts": {}}, {"alerts": "expected emails, slacks or both"}),
        ("MonitorAlert", ALERT | {"entities": []}, {"entities": "expected at least 1 items"}),
        ("Domain", {}, {"name": "missing: a string is required"}),
    )

    @pytest.mark.parametrize(("kind", "news", "failures"), REFUSALS)
    def test_names_what_is_wrong(self, kind: str, news: Properties, failures: dict[str, str]) -> None:
        assert checked(kind, news)[1] == failures

    def test_names_everything_at_once(self) -> None:
        assert checked("Droplet", {"sise": "x", "tags": 3})[1].keys() == {"sise", "tags", "image", "size"}

    def test_never_repeats_a_value(self) -> None:
        news = {"userData": ["canary"], "image": {"canary": 1}, "size": "", "tags": ["canary canary"]}
        assert "canary" not in repr(checked("Droplet", news)[1])

    def test_takes_spellings_that_mean_the_same(self) -> None:
        news = {"inboundRules": [inbound(22)], "dropletIds": ["480000001", 7.0], "tags": []}
        inputs, failures = checked("Firewall", news)
        assert not failures
        assert inputs["dropletIds"] == [480000001, 7]
        assert checked("Droplet", DROPLET | {"image": 12345, "backups": "true"})[0]["image"] == "12345"
        assert checked("MonitorAlert", ALERT | {"value": "80.5", "entities": [480000001]})[0]["value"] == 80.5

    def test_lets_unknown_values_pass(self) -> None:
        news = {"image": UNKNOWN, "size": "s-1vcpu-1gb", "volumeIds": [UNKNOWN], "vpcUuid": UNKNOWN}
        inputs, failures = checked("Droplet", news)
        assert not failures
        assert inputs["image"] is UNKNOWN
        rules = {"inboundRules": [inbound(22) | {"portRange": UNKNOWN}], "outboundRules": UNKNOWN}
        assert not checked("Firewall", rules)[1]

    def test_fills_in_defaults_and_says_so(self) -> None:
        inputs = checked("Droplet", DROPLET)[0]
        assert inputs["resizeDisk"] is True
        assert inputs[DEFAULTS] == ["name", "resizeDisk"]
        assert checked("Project", {"name": "x"})[0]["purpose"] == "Web Application"

    def test_generates_a_name_once_and_keeps_it(self) -> None:
        first = checked("Droplet", DROPLET, seed=b"one")[0]
        assert first["name"].startswith("thing-")
        assert checked("Droplet", DROPLET, first, seed=b"two")[0]["name"] == first["name"]
        assert checked("Droplet", DROPLET, seed=b"two")[0]["name"] != first["name"]

    def test_forgets_the_name_that_the_program_no_longer_gives(self) -> None:
        given_name = checked("Droplet", DROPLET | {"name": "given"})[0]
        assert checked("Droplet", DROPLET, given_name)[0]["name"] != "given"

    def test_follows_the_engines_naming_rules(self) -> None:
        assert checked("Volume", {"region": "fra1", "size": 1}, proposed="lab-data")[0]["name"] == "lab-data"
        assert checked("Volume", {"region": "fra1", "size": 1}, disabled=True)[1].keys() == {"name"}

    def test_gives_volumes_short_names_in_lower_case(self) -> None:
        resource = resources.find(TOKENS["Volume"])
        inputs, _ = check(resource.shape, {}, {"region": "fra1", "size": 1}, Naming("Data" * 40))
        assert len(inputs["name"]) == 64
        assert inputs["name"].islower()


class TestTheTable:
    def test_has_a_module_and_a_row_for_each_kind(self) -> None:
        assert table.load().resources.keys() == resources.MODULES.keys()
        for token in resources.MODULES:
            assert resources.find(token).kind == token

    def test_names_operations_that_pydo_has(self) -> None:
        client = pydo.Client(token="none", endpoint="http://127.0.0.1:9")
        used = set[str]()
        for module in Path(package.__path__[0]).rglob("*.py"):
            for node in ast.walk(ast.parse(module.read_text())):
                is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
                if is_call and node.func.attr in {"read", "find", "put", "post", "delete", "create", "pages"}:
                    first = node.args[0]
                    if isinstance(first, ast.Constant) and "." in str(first.value):
                        used.add(first.value)
        assert len(used) > 40
        for operation in used:
            group, method = operation.split(".")
            assert callable(getattr(getattr(client, group), method)), operation


class TestSettings:
    def test_come_from_the_configuration_first(self) -> None:
        environment = {"DIGITALOCEAN_TOKEN": "env", "DIGITALOCEAN_API_URL": "http://127.0.0.1:7/"}
        assert Settings.read({}, environment) == Settings(endpoint="http://127.0.0.1:7", token="env")
        settings = Settings.read({"apiEndpoint": "https://conf", "token": "conf", "httpRetryMax": "1"}, environment)
        assert (settings.endpoint, settings.token, settings.retries) == ("https://conf", "conf", 1)
        assert Settings.read({}, {"DIGITALOCEAN_ACCESS_TOKEN": "other"}).token == "other"
        assert Settings.read({}, {}).endpoint == "https://api.digitalocean.com"

    @pytest.mark.parametrize("endpoint", ["http://api.digitalocean.com", "ftp://127.0.0.1", "127.0.0.1:1", "https://"])
    def test_never_send_the_token_in_the_clear(self, endpoint: str) -> None:
        with pytest.raises(ValueError, match="must be an https address, or a loopback one"):
            Settings.read({"apiEndpoint": endpoint, "token": "t"}, {})


json_values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


class TestValues:
    @settings(deadline=None)
    @given(st.dictionaries(st.text(min_size=1, max_size=8), json_values, max_size=4))
    def test_survive_the_wire(self, properties: Properties) -> None:
        assert decode(encode(properties)) == properties

    def test_that_are_unknown_stay_so_at_any_depth(self) -> None:
        properties = {"a": UNKNOWN, "b": [1, {"c": UNKNOWN}]}
        assert decode(encode(properties)) == properties
        assert holds_unknown(properties)
        assert not holds_unknown({"a": [1, "x"]})

    def test_that_are_wrapped_mean_their_content(self) -> None:
        signature = "4dabf18193072939515e22adb298388d"
        secret = {signature: "1b47061264138c4ac30d75fd1eb44270", "value": {"n": 1}}
        output = {signature: "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
        reference = {signature: "5cf8f73096256a8f31e491e813e4eb8e", "urn": "urn:x", "id": "7"}
        wire = encode({"secret": secret, "output": output, "reference": reference})
        assert decode(wire) == {"secret": {"n": 1}, "output": UNKNOWN, "reference": "7"}


class TestSets:
    item = table.load().resources[TOKENS["Firewall"]].inputs["inboundRules"]

    @settings(deadline=None)
    @given(st.permutations([inbound(22), inbound(80), inbound(443, "10.0.0.0/8", "::/0")]))
    def test_are_the_same_in_any_order(self, rules: list[Properties]) -> None:
        reference = [inbound(22), inbound(80), inbound(443, "::/0", "10.0.0.0/8")]
        assert canonical(self.item, rules) == canonical(self.item, reference)
        assert aligned(self.item, rules, reference) == [inbound(22), inbound(80), inbound(443, "10.0.0.0/8", "::/0")]

    @settings(deadline=None)
    @given(st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True), st.lists(st.sampled_from("abcd"), unique=True))
    def test_keep_every_member_when_put_in_order(self, observed: list[str], wanted: list[str]) -> None:
        item = table.load().resources[TOKENS["Droplet"]].inputs["volumeIds"]
        result = aligned(item, observed, wanted)
        assert sorted(result) == sorted(observed)
        assert [each for each in result if each in wanted] == [each for each in wanted if each in observed]
        assert aligned(item, result, wanted) == result


class TestReadInputs:
    def test_keep_the_programs_spelling(self) -> None:
        resource = resources.find(TOKENS["Droplet"])
        inputs = checked("Droplet", DROPLET | {"region": "FRA1", "userData": "#!/bin/sh", "tags": ["b", "a"]})[0]
        state = resource.record(inputs) | {"tags": ["a", "b"], "region": "fra1"}
        assert observed_inputs(resource, inputs, state) == inputs

    def test_hash_user_data_once(self) -> None:
        item = table.load().resources[TOKENS["Droplet"]].inputs["userData"]
        once = recorded_value(item, "#!/bin/sh\n")
        assert len(once) == 40
        assert recorded_value(item, once) == once

    @pytest.mark.parametrize("nothing", ["", [], 0, False, None])
    def test_say_nothing_about_nothing(self, nothing: object) -> None:
        resource = resources.find(TOKENS["Firewall"])
        inputs = checked("Firewall", {"inboundRules": [inbound(22)]})[0]
        seen = observed_inputs(resource, inputs, resource.record(inputs) | {"tags": nothing})
        assert "tags" not in seen
