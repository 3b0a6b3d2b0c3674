"""The same acts with the official plugin, where it is installed: same inputs, same outputs, same differences.

Its waiters sleep ten seconds and more, so this module takes a minute; without the plugin it is skipped.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from samples import REPLACEMENTS, UPDATES, Site

if TYPE_CHECKING:
    from providerlab import Difference, Made, Plugin

LABELS = [
    *("vpc", "key", "volume", "droplet", "firewall", "address", "assignment", "held", "domain", "record", "mail"),
    *("alert", "project", "inside", "tag", "spare", "attachment"),
]
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

    @pytest.mark.parametrize("change", ["update", "replace"])
    def test_judge_changes_alike(self, sites: dict[str, Site], label: str, change: str) -> None:
        changes = UPDATES if change == "update" else {name: news for name, (news, _) in REPLACEMENTS.items()}
        if label not in changes:
            pytest.skip("this kind has no such change")
        judged = [judge(site.plugin, site.made[label], changes[label]) for site in sites.values()]
        assert (judged[0].changed, judged[0].replaces, judged[0].delete_first) == (
            judged[1].changed,
            judged[1].replaces,
            judged[1].delete_first,
        )
        assert named(judged[0]) == named(judged[1]) - {"ipv6Address"}  # told apart from ipv6 by the official one only


@pytest.mark.timeout(600)
def test_a_site_changes_hands_for_its_updates(sites: dict[str, Site]) -> None:
    own, off = sites.values()
    with ThreadPoolExecutor(8) as pool:
        labels = [label for label in UPDATES if label != "droplet"]
        list(pool.map(lambda label: handed_over(own, off, label), labels))


def handed_over(giver: Site, taker: Site, label: str) -> None:
    made = giver.made[label]
    wanted = {key: value for key, value in (made.inputs | UPDATES[label]).items() if value is not None}
    updated = taker.plugin.update(made, wanted)
    assert not giver.plugin.diff(updated, updated.inputs).changed, label


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
