"""Conformance scenarios 24-26 and 34-37: options and answers that decide between same, update and replace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from enginelab.bench import CANARY

if TYPE_CHECKING:
    from enginelab.bench import Bench

REPLACED = ("create-replacement a", "replace a", "delete-replaced a")
SAME, CHANGED, UNSURE = 1, 2, 0


def thing(properties: str) -> str:
    """Give a program of one thing."""
    return f'a = Thing("a", {properties})'


def test_24_ignored_changes_never_reach_the_provider(bench: Bench) -> None:
    option = 'opts=options(ignore_changes=["x", "n.k", "extra"])'
    bench.good(thing(f'x=1, n={{"k": 1, "m": 1}}, {option}'))
    report = bench.good(thing(f'x=2, n={{"k": 2, "m": 1}}, extra=5, {option}'), "same Stack, a")
    assert report.call("Check", "a")["news"] == {"x": 1, "n": {"k": 1, "m": 1}}
    assert bench.state["a"]["inputs"] == {"x": 1, "n": {"k": 1, "m": 1}}


def test_24_the_rest_of_a_change_goes_through(bench: Bench) -> None:
    option = 'opts=options(ignore_changes=["n.k", "list[*].v"])'
    bench.good(thing(f'n={{"k": 1, "m": 1}}, list=[{{"v": 1}}, {{"v": 2}}], {option}'))
    report = bench.good(
        thing(f'n={{"k": 2, "m": 2}}, list=[{{"v": 8}}, {{"v": 9}}], {option}'), "same Stack", "update a"
    )
    assert report.call("Update", "a")["news"] == {"n": {"k": 1, "m": 2}, "list": [{"v": 1}, {"v": 2}]}
    assert report.call("Update", "a")["ignored"] == ["n.k", "list[*].v"]


def test_24_a_first_create_ignores_nothing(bench: Bench) -> None:
    report = bench.good(thing('x=1, opts=options(ignore_changes=["x"])'))
    assert report.call("Create", "a")["news"] == {"x": 1}


def test_24_an_ignored_secret_stays_secret(bench: Bench) -> None:
    option = 'opts=options(ignore_changes=["x"])'
    bench.good(thing(f'x=pulumi.Output.secret("{CANARY}"), {option}'))
    bench.good(thing(f'x="plain", {option}'), "same Stack, a")
    assert bench.state["a"]["inputs"] == {"x": {"secret": CANARY}}


def test_25_chosen_properties_replace(bench: Bench) -> None:
    option = 'opts=options(replace_on_changes=["x", "n.*"])'
    bench.good(thing(f'x=1, y=1, n={{"k": 1}}, {option}'))
    bench.good(thing(f'x=1, y=2, n={{"k": 1}}, {option}'), "same Stack", "update a")
    bench.good(thing(f'x=2, y=2, n={{"k": 1}}, {option}'), "same Stack", *REPLACED)
    assert bench.state["a"]["id"] == "a-2"


def test_25_an_init_error_can_ask_for_a_replacement(bench: Bench) -> None:
    program = thing('x=1, opts=options(replace_on_changes=["#initerror"])')
    bench.script({"call": "Create", "name": "a", "partial": ["not well"]})
    bench.bad(program)
    bench.script()
    bench.good(program, "same Stack", *REPLACED)


def test_26_a_changed_trigger_replaces(bench: Bench) -> None:
    program = 'a = Thing("a", x=1, opts=options(replacement_trigger={}))'
    bench.good(program.format('"one"'))
    bench.good(program.format('"one"'), "same Stack, a")
    bench.good(program.format('"two"'), "same Stack", *REPLACED)
    bench.good(program.format('"two"'), "same Stack, a")


def test_34_a_value_that_becomes_secret_is_encrypted_without_an_update(bench: Bench) -> None:
    bench.good(thing('x="quiet"'))
    assert bench.state["a"]["inputs"] == {"x": "quiet"}
    report = bench.good(thing('x=pulumi.Output.secret("quiet")'), "same Stack, a")
    assert report.called()
    assert bench.state["a"]["inputs"] == {"x": {"secret": "quiet"}}
    assert bench.state["a"]["outputs"] == {"x": {"secret": "quiet"}, "stamp": "stamp of a-1"}
    bench.good(thing('x="quiet"'), "same Stack, a")
    assert bench.state["a"]["inputs"] == {"x": "quiet"}


@pytest.mark.parametrize("rule", [{}, {"replaces": ["x"]}])
def test_35_none_is_none_whatever_else_the_answer_says(bench: Bench, rule: dict[str, object]) -> None:
    bench.good(thing("x=1"))
    bench.script({"call": "Diff", "name": "a", "changes": SAME, **rule})
    report = bench.good(thing("x=2"), "same Stack, a")
    assert report.called()
    assert bench.state["a"]["inputs"] == {"x": 2}
    assert bench.state["a"]["outputs"] == {"x": 1, "stamp": "stamp of a-1"}


def test_36_an_unsure_provider_is_decided_by_the_inputs(bench: Bench) -> None:
    bench.good(thing('x=1, s="v"'))
    bench.script({"call": "Diff", "name": "a", "changes": UNSURE, "replaces": []})
    bench.good(thing('x=1, s=pulumi.Output.secret("v")'), "same Stack, a")
    bench.good(thing('x=2, s=pulumi.Output.secret("v")'), "same Stack", "update a")


@pytest.mark.parametrize(("kind", "steps"), [(1, REPLACED), (3, REPLACED), (5, REPLACED), (0, ()), (2, ()), (4, ())])
def test_36_a_detailed_difference_can_ask_for_a_replacement(bench: Bench, kind: int, steps: tuple[str, ...]) -> None:
    bench.good(thing("x=1"))
    bench.script({"call": "Diff", "name": "a", "changes": CHANGED, "replaces": [], "detailed": {"x": kind}})
    bench.good(thing("x=2"), "same Stack", *(steps or ("update a",)))


def test_36_a_difference_without_any_change_of_inputs_counts(bench: Bench) -> None:
    bench.good(thing("x=1"))
    bench.script({"call": "Diff", "name": "a", "changes": CHANGED, "diffs": ["x"], "replaces": []})
    report = bench.good(thing("x=1"), "same Stack", "update a")
    assert report.called("Update a")


def test_37_a_chosen_name_is_kept_on_update_and_new_on_replacement(bench: Bench) -> None:
    bench.good(thing("autoname=True, x=1, key=1"))
    first = bench.state["a"]["inputs"]["label"]
    assert first.startswith("a-")
    bench.good(thing("autoname=True, x=2, key=1"), "same Stack", "update a")
    assert bench.state["a"]["inputs"]["label"] == first
    bench.good(thing("autoname=True, x=2, key=2"), "same Stack", *REPLACED)
    assert bench.state["a"]["inputs"]["label"] != first


def test_37_two_resources_get_two_names(bench: Bench) -> None:
    bench.good("""
        Thing("a", autoname=True)
        Thing("b", autoname=True)
    """)
    labels = {bench.state[name]["inputs"]["label"].partition("-")[2] for name in "ab"}
    assert len(labels) == 2


def test_37_timeouts_reach_provider_and_state(bench: Bench) -> None:
    limits = 'opts=options(custom_timeouts=pulumi.CustomTimeouts(create="1m30s", update="2h", delete="5s"))'
    report = bench.good(thing(f"x=1, {limits}"))
    assert report.call("Create", "a")["timeout"] == 90
    assert bench.state["a"]["customTimeouts"] == {"create": 90, "update": 7200, "delete": 5}
    report = bench.good(thing(f"x=2, {limits}"))
    assert report.call("Update", "a")["timeout"] == 7200
    report = bench.good("pass")
    assert report.call("Delete", "a")["timeout"] == 5
