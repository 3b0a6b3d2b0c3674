"""Every kind of resource through the protocol, against the local cloud: made, unchanged, changed, gone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from samples import CLOUD_CONFIG, REPLACEMENTS, UPDATES, Site

from localcloud.provider import resources, table
from localcloud.provider.values import UNKNOWN

if TYPE_CHECKING:
    from providerlab import Cloud, Made, Plugin

LABELS = [
    *("vpc", "key", "volume", "droplet", "firewall", "address", "assignment", "held", "domain", "record", "mail"),
    *("alert", "project", "inside", "tag", "spare", "attachment"),
]


@pytest.fixture(scope="module")
def site(provider: Plugin) -> dict[str, Made]:
    return Site(provider, "life", 60).build()


class TestAResourceThatWasMade:
    @pytest.mark.parametrize("label", LABELS)
    def test_shows_no_difference_to_its_own_inputs(self, provider: Plugin, site: dict[str, Made], label: str) -> None:
        assert not provider.diff(site[label], site[label].inputs).changed

    @pytest.mark.parametrize("label", LABELS)
    def test_gives_only_outputs_that_the_table_has(self, site: dict[str, Made], label: str) -> None:
        made = site[label]
        shape = table.load().resources[next(token for token in resources.MODULES if token.endswith(f":{made.kind}"))]
        assert made.outputs.keys() <= shape.inputs.keys() | shape.outputs.keys() | {"id", "__meta"}
        assert shape.outputs.keys() - {"filesystemLabel"} <= made.outputs.keys()
        assert made.outputs["id"] == made.id

    @pytest.mark.parametrize("label", [label for label in LABELS if label not in {"volume", "spare", "project", "tag"}])
    def test_reads_back_as_it_was_made(self, provider: Plugin, site: dict[str, Made], label: str) -> None:
        seen = provider.read(site[label])
        assert seen
        if label == "droplet":  # the attachment of the spare volume came after the droplet
            assert seen.outputs.pop("volumeIds")[:1] == site[label].outputs["volumeIds"]
            assert seen.outputs == {key: value for key, value in site[label].outputs.items() if key != "volumeIds"}
        else:
            assert seen.outputs == site[label].outputs
            assert seen.inputs == site[label].inputs

    def test_keeps_the_hash_of_user_data_and_not_the_text(self, site: dict[str, Made]) -> None:
        outputs = site["droplet"].outputs
        assert outputs["userData"] == hashlib.sha1(CLOUD_CONFIG.encode(), usedforsecurity=False).hexdigest()
        assert "canary-user-data" not in repr(outputs)

    def test_has_addresses_prices_and_names_as_the_official_provider_gives_them(self, site: dict[str, Made]) -> None:
        outputs = site["droplet"].outputs
        assert outputs["dropletUrn"] == f"do:droplet:{site['droplet'].id}"
        assert outputs["vpcUuid"] == site["vpc"].id
        assert outputs["priceMonthly"] == 24
        assert outputs["ipv4Address"].startswith("127.0.10.")
        assert outputs["ipv4AddressPrivate"].startswith("10.60.0.")
        assert outputs["status"] == "active"

    def test_puts_the_dot_back_that_the_api_takes_off(self, site: dict[str, Made]) -> None:
        assert site["mail"].outputs["value"] == "mail.example.com."
        assert site["mail"].outputs["fqdn"] == "life.example.com"
        assert site["record"].outputs["fqdn"] == "staging.life.example.com"

    def test_takes_a_qualified_name_for_the_relative_one(self, provider: Plugin, site: dict[str, Made]) -> None:
        record = site["record"]
        assert not provider.diff(record, record.inputs | {"name": "staging.life.example.com."}).changed


class TestAPreview:
    @pytest.mark.parametrize("label", LABELS)
    def test_knows_the_inputs_and_leaves_the_rest_unknown(
        self, provider: Plugin, site: dict[str, Made], label: str
    ) -> None:
        planned = provider.preview(site[label].kind, site[label].inputs)
        assert planned["id"] is UNKNOWN
        for name, value in planned.items():
            if value is not UNKNOWN and name in site[label].outputs and name not in {"inboundRules", "outboundRules"}:
                assert _loose(value) == _loose(site[label].outputs[name]), name

    def test_of_a_resize_does_not_promise_the_old_memory(self, provider: Plugin, site: dict[str, Made]) -> None:
        droplet = site["droplet"]
        planned = provider.update(droplet, droplet.inputs | {"size": "s-4vcpu-8gb"}, preview=True)
        assert planned.outputs["memory"] is UNKNOWN
        assert planned.outputs["ipv4Address"] == droplet.outputs["ipv4Address"]

    def test_sends_nothing(self, provider: Plugin, cloud: Cloud) -> None:
        before = cloud.count("/tags", "tags")
        provider.preview("Tag", {"name": "only-planned"})
        assert cloud.count("/tags", "tags") == before


class TestADifference:
    @pytest.mark.parametrize("label", UPDATES)
    def test_in_place_replaces_nothing(self, provider: Plugin, site: dict[str, Made], label: str) -> None:
        made = site[label]
        difference = provider.diff(made, made.inputs | UPDATES[label])
        assert difference.changed
        assert not difference.replaces

    @pytest.mark.parametrize("label", REPLACEMENTS)
    def test_that_can_not_be_made_in_place_replaces(self, provider: Plugin, site: dict[str, Made], label: str) -> None:
        change, replaces = REPLACEMENTS[label]
        difference = provider.diff(site[label], site[label].inputs | change)
        assert difference.replaces == replaces

    def test_deletes_first_where_the_program_gives_a_name(self, provider: Plugin, site: dict[str, Made]) -> None:
        named, generated = site["droplet"], site["volume"]
        assert provider.diff(named, named.inputs | {"image": "debian-12-x64"}).delete_first
        assert not provider.diff(generated, generated.inputs | {"region": "ams3"}).delete_first

    def test_names_the_rule_that_changed(self, provider: Plugin, site: dict[str, Made]) -> None:
        firewall = site["firewall"]
        rules = [*firewall.inputs["inboundRules"], {"protocol": "icmp", "sourceAddresses": ["0.0.0.0/0"]}]
        difference = provider.diff(firewall, firewall.inputs | {"inboundRules": rules})
        assert difference.detail == {"inboundRules[3]": 0}

    def test_ignores_the_order_of_sets(self, provider: Plugin, site: dict[str, Made]) -> None:
        firewall = site["firewall"]
        shuffled = [
            rule | {"sourceAddresses": rule["sourceAddresses"][::-1]} for rule in firewall.inputs["inboundRules"]
        ]
        assert not provider.diff(firewall, firewall.inputs | {"inboundRules": shuffled[::-1]}).changed

    def test_with_an_unknown_value_counts_as_one(self, provider: Plugin, site: dict[str, Made]) -> None:
        droplet = site["droplet"]
        assert provider.diff(droplet, droplet.inputs | {"vpcUuid": UNKNOWN}).replaces == ["vpcUuid"]
        assert not provider.diff(droplet, droplet.inputs | {"volumeIds": [UNKNOWN]}).replaces

    def test_of_a_smaller_volume_is_refused(self, provider: Plugin, site: dict[str, Made]) -> None:
        with pytest.raises(Exception, match="can grow, but not shrink from 20 to 10 GiB"):
            provider.diff(site["volume"], site["volume"].inputs | {"size": 10})

    def test_of_ipv6_switched_off_replaces(self, provider: Plugin, site: dict[str, Made]) -> None:
        droplet = site["droplet"]
        with_ipv6 = type(droplet)(**{**vars(droplet), "outputs": droplet.outputs | {"ipv6": True}})
        assert provider.diff(with_ipv6, droplet.inputs).replaces == ["ipv6"]


class TestChangingAndRemoving:
    """One site through updates, a second run without change, and removal."""

    def test_takes_every_kind_all_the_way(self, provider: Plugin, cloud: Cloud) -> None:
        site = Site(provider, "change", 61)
        site.build()
        for label, change in UPDATES.items():
            made = site.made[label]
            wanted = {key: value for key, value in (made.inputs | change).items() if value is not None}
            if label in {"key", "droplet"}:
                wanted["name"] = f"change-{wanted['name']}"
            updated = provider.update(made, wanted)
            assert not provider.diff(updated, updated.inputs).changed, label
            again = provider.update(updated, updated.inputs)
            assert again.outputs == updated.outputs or label == "project", label
            site.made[label] = updated
        assert site.made["droplet"].outputs["memory"] == 8192
        assert site.made["droplet"].outputs["status"] == "active"
        assert site.made["volume"].outputs["size"] == 30
        for label in reversed(site.made):
            made = site.made[label]
            provider.delete(made)
            provider.delete(made)
            if label != "inside":  # a membership has no existence but its project's
                assert provider.read(made) is None, label
        names = [each["name"] for each in cloud.hand("GET", "/droplets")["droplets"]]
        assert not [name for name in names if name.startswith("change")]

    def test_gives_resources_of_a_deleted_project_to_the_default_one(self, provider: Plugin, cloud: Cloud) -> None:
        domain = provider.create("Domain", {"name": "given.example.com"})
        project = provider.create("Project", {"name": "short-lived", "resources": [domain.outputs["domainUrn"]]})
        provider.delete(project)
        default = cloud.hand("GET", "/projects/default/resources?per_page=200")["resources"]
        assert domain.outputs["domainUrn"] in [each["urn"] for each in default]
        provider.delete(domain)

    def test_waits_for_the_members_of_a_vpc_to_leave(self, provider: Plugin) -> None:
        vpc = provider.create("Vpc", {"name": "busy", "region": "fra1", "ipRange": "10.62.0.0/24"})
        base = {"region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "vpcUuid": vpc.id}
        droplet = provider.create("Droplet", base)
        with pytest.raises(Exception, match=f"VPC {vpc.id} still has members: not within 1 s"):
            provider.delete(vpc, timeout=1)
        provider.delete(droplet)
        provider.delete(vpc)

    def test_shuts_down_gracefully_when_asked_to(self, provider: Plugin, cloud: Cloud) -> None:
        inputs = {"region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "gracefulShutdown": True}
        droplet = provider.create("Droplet", inputs)
        provider.delete(droplet)
        calls = [call for call in cloud.machines.calls if call[1:2] == (int(droplet.id),)]
        assert ("stop", int(droplet.id), True) in calls
        assert calls[-1] == ("destroy", int(droplet.id))

    def test_imports_by_identifier(self, provider: Plugin, site: dict[str, Made]) -> None:
        made = site["record"]
        found = provider.read(type(made)("DnsRecord", f"life.example.com,{made.id}", {}, {}))
        assert found
        assert found.id == made.id
        assert found.outputs == made.outputs
        assert found.inputs["value"] == made.inputs["value"]
        droplet = site["droplet"]
        found = provider.read(type(made)("Droplet", droplet.id, {}, {}))
        assert found
        assert found.inputs["image"] == "debian-13-x64"
        assert found.inputs["size"] == "s-2vcpu-4gb"


def _loose(value: object) -> object:
    """Compare what a program wrote with what the API keeps of it."""
    if isinstance(value, list):
        return sorted(map(str, value))
    if isinstance(value, dict):
        return {key: each for key, each in value.items() if each}
    return str(value).strip()
