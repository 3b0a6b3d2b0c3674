"""The same acts with the official plugin, where it is installed: same inputs, same outputs, same differences.

Its waiters sleep ten seconds and more, so this module takes a minute; without the plugin it is skipped.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from samples import REPLACEMENTS, UPDATES, Site, inbound, public_key

if TYPE_CHECKING:
    from providerlab import Difference, Made, Plugin

LABELS = [
    *("vpc", "key", "volume", "droplet", "firewall", "address", "assignment", "held", "domain", "record", "mail"),
    *("alert", "project", "inside", "tag", "spare", "attachment"),
]
CHANGES = [*UPDATES.items(), *((label, news) for label, (news, _) in REPLACEMENTS.items())]
OURS_ONLY = {"alert": {"uuid"}}
"""Outputs that the official provider declares as required, yet leaves empty."""


@pytest.fixture(scope="module")
def sites(provider: Plugin, official_provider: Plugin) -> dict[str, Site]:
    both = {"own": Site(provider, "own", 64), "off": Site(official_provider, "off", 65)}
    for site in both.values():
        site.build()
    return both


@pytest.mark.timeout(600)
@pytest.mark.parametrize("label", LABELS)
class TestBothProviders:
    def test_complete_inputs_in_the_same_way(self, sites: dict[str, Site], label: str) -> None:
        own, off = (neutral(site.made[label].inputs) for site in sites.values())
        assert own == off

    def test_give_the_same_outputs(self, sites: dict[str, Site], label: str) -> None:
        own, off = (site.made[label].outputs for site in sites.values())
        mine = {name: value for name, value in own.items() if name not in OURS_ONLY.get(label, set())}
        assert neutral(mine) == neutral(off)

    def test_plan_the_same_outputs(self, sites: dict[str, Site], label: str) -> None:
        plans = [
            neutral(site.plugin.preview(site.made[label].kind, site.made[label].inputs)) for site in sites.values()
        ]
        for plan in plans:
            plan.pop("uuid", None)
        assert plans[0] == plans[1]

    def test_see_no_difference_in_what_they_made(self, sites: dict[str, Site], label: str) -> None:
        for site in sites.values():
            assert not site.plugin.diff(site.made[label], site.made[label].inputs).changed

    def test_take_each_others_resources_over(self, sites: dict[str, Site], label: str) -> None:
        own, off = sites.values()
        for giver, taker in ((own, off), (off, own)):
            made = giver.made[label]
            assert not taker.plugin.diff(made, made.inputs).changed
            seen = taker.plugin.read(made)
            assert seen
            assert seen.id == made.id
            ignored = {"volumeIds"} if label == "droplet" else set[str]()  # attached after the droplet was made
            assert named(taker.plugin.diff(seen, made.inputs)) <= ignored


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("label", "change"), CHANGES, ids=[f"{label}-{'-'.join(change)}" for label, change in CHANGES])
def test_both_judge_changes_alike(sites: dict[str, Site], label: str, change: dict[str, Any]) -> None:
    own, off = (judge(site.plugin, site.made[label], change) for site in sites.values())
    assert (own.changed, own.replaces, own.delete_first) == (off.changed, off.replaces, off.delete_first)
    assert named(own) == named(off) - {"ipv6Address"}  # told apart from ipv6 by the official one only


def test_resources_change_hands_for_their_updates(provider: Plugin, official_provider: Plugin) -> None:
    plain: dict[str, tuple[str, dict[str, Any]]] = {
        "vpc": ("Vpc", {"region": "fra1"}),
        "key": ("SshKey", {"publicKey": public_key()}),
        "firewall": ("Firewall", {"inboundRules": [inbound(22), inbound(80)], "tags": ["handed"]}),
        "project": ("Project", {"environment": "Staging", "description": "Handed over"}),
    }
    for giver, taker in ((provider, official_provider), (official_provider, provider)):
        for label, (kind, inputs) in plain.items():
            if kind == "SshKey":
                inputs["publicKey"] = public_key()
            made = giver.create(kind, inputs, name=f"handed-{label}")
            updated = taker.update(made, made.inputs | UPDATES[label])
            assert not giver.diff(updated, updated.inputs).changed, label
            seen = giver.read(updated)
            assert seen
            assert not taker.diff(seen, updated.inputs).changed, label
            taker.delete(updated)
            assert giver.read(updated) is None


def judge(plugin: Plugin, made: Made, change: dict[str, Any]) -> Difference:
    wanted = {key: value for key, value in (made.inputs | change).items() if value is not None}
    return plugin.diff(made, wanted)


def named(difference: Difference) -> set[str]:
    return {re.split(r"[.\[]", path)[0] for path in difference.detail}


def neutral(properties: dict[str, Any]) -> dict[str, Any]:
    """Take out what differs from site to site, the order of sets, and the official plugin's bookkeeping."""
    text = json.dumps(_sorted(properties), default=repr, sort_keys=True)
    for pattern, word in (
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        (r"ssh-ed25519 [A-Za-z0-9+/]+ lab", "KEY"),
        (r"([0-9a-f]{2}:){15}[0-9a-f]{2}", "FINGERPRINT"),
        (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d", "TIME"),
        (r"127\.0\.\d+\.\d+|10\.6[45]\.0\.\d+", "ADDRESS"),
        (r"\b(own|off)\b", "SITE"),
        (r"-[0-9a-f]{7}\b", "-NAME"),
        (r"\b\d{8,9}-(UUID|ADDRESS)-\w+", "LINK"),
        (r"\b\d{8,9}\b", "0"),
    ):
        text = re.sub(pattern, word, text)
    return json.loads(text)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        members = {key: _sorted(each) for key, each in value.items() if not key.startswith("__")}
        return {key: each for key, each in members.items() if each not in (None, [], {}, "")}
    if isinstance(value, list):
        return sorted(
            (_sorted(each) for each in value), key=lambda each: json.dumps(each, default=repr, sort_keys=True)
        )
    return value
