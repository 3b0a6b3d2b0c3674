"""Conformance scenarios 1-7, 39, 42, 44 and 47: what a healthy stack goes through."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from enginelab.bench import Bench

FIRST = """
    k = Group("k")
    a = Thing("a", x=1)
    b = Thing("b", x=a.stamp)
    d = Thing("d", x=1, opts=options(parent=k))
"""


def family(a: str) -> str:
    """Give the program of scenarios 3-7: b, c and e depend on a in three ways."""
    return f"""
    a = Thing("a", {a})
    b = Thing("b", x=a.stamp)
    c = Thing("c", key=a.stamp)
    e = Thing("e", x=1, opts=options(depends_on=[a]))
    """


def test_01_the_first_up_creates_everything(bench: Bench) -> None:
    report = bench.good(FIRST, "create Stack, k, a, b, d")
    assert report.called("Create a, b, d")
    assert bench.state.names[0] == "Stack"
    assert sorted(bench.state.names) == ["Stack", "a", "b", "d", "default", "k"]
    b, d, k = bench.state["b"], bench.state["d"], bench.state["k"]
    a = bench.state["a"]
    assert a["id"] == "a-1"
    assert a["outputs"] == {"x": 1, "stamp": "stamp of a-1"}
    assert b["inputs"] == {"x": "stamp of a-1"}
    assert b["dependencies"] == [a["urn"]]
    assert b["propertyDependencies"]["x"] == [a["urn"]]
    assert d["parent"] == k["urn"]
    assert d["urn"] == "urn:pulumi:dev::lab::lab:index:Group$testprovider:index:Thing::d"
    assert k["custom"] is False
    assert "id" not in k
    assert a["created"] == a["modified"]


def test_01_checks_precede_creates_and_carry_a_seed(bench: Bench) -> None:
    report = bench.good(FIRST)
    assert report.call("Check", "a")["seed_bytes"] == 32
    assert report.call("Check", "a")["olds"] == {}
    assert not report.calls_of("Diff", "a")
    order = [f"{entry['call']} {entry['name']}" for entry in report.calls if entry["phase"] == "begin"]
    assert order.index("Check a") < order.index("Create a") < order.index("Check b") < order.index("Create b")


def test_02_a_second_up_changes_nothing(bench: Bench) -> None:
    bench.good(FIRST)
    before = bench.state
    report = bench.good(None, "same Stack, k, a, b, d")
    assert report.called()
    assert sorted(map(str, bench.state.entries)) == sorted(map(str, before.entries))
    assert report.call("Check", "a")["olds"] == {"x": 1}
    assert report.call("Diff", "a")["olds"] == {"x": 1, "stamp": "stamp of a-1"}
    assert report.call("Diff", "a")["old_inputs"] == {"x": 1}


def test_03_an_update_in_place_leaves_dependants_alone(bench: Bench) -> None:
    bench.good(family("x=1"))
    before = bench.state["a"]
    report = bench.good(family("x=2"), "same Stack, b, c, e", "update a")
    assert report.called("Update a")
    update = report.call("Update", "a")
    assert update["id"] == "a-1"
    assert update["olds"] == {"x": 1, "stamp": "stamp of a-1"}
    assert update["old_inputs"] == {"x": 1}
    assert update["news"] == {"x": 2}
    after = bench.state["a"]
    assert after["id"] == before["id"]
    assert after["created"] == before["created"]
    assert after["modified"] > before["modified"]
    assert after["outputs"] == {"x": 2, "stamp": "stamp of a-1"}


def test_04_a_replacement_takes_its_dependants_along(bench: Bench) -> None:
    bench.good(family("key=1"))
    report = bench.good(
        family("key=2"),
        *("create-replacement a, c", "replace a, c", "same Stack, e", "update b", "delete-replaced c, a"),
    )
    assert report.changing() == ["Create a", "Update b", "Create c", "Delete c", "Delete a"] or report.changing() == [
        *("Create a", "Create c", "Update b", "Delete c", "Delete a"),
    ]
    assert bench.world.alive() == ["a-2", "b-1", "c-2", "e-1"]
    assert bench.state["a"]["id"] == "a-2"
    assert bench.state["b"]["inputs"] == {"x": "stamp of a-2"}
    assert [check["olds"] for check in report.calls_of("Check", "a")] == [{"key": 1}, {}]
    assert report.call("Delete", "a")["olds"] == {"key": 1, "stamp": "stamp of a-1"}
    assert report.call("Delete", "a")["id"] == "a-1"


def _replaced_delete_first(bench: Bench, before: str, after: str) -> None:
    bench.good(family(before))
    report = bench.good(
        family(after),
        *("delete-replaced c, a", "replace a, c", "create-replacement a, c", "same Stack, e", "update b"),
    )
    assert report.changing()[:3] == ["Delete c", "Delete a", "Create a"]
    assert sorted(report.changing()[3:]) == ["Create c", "Update b"]
    assert bench.world.alive() == ["a-2", "b-1", "c-2", "e-1"]
    assert not any(entry.get("pendingReplacement") for entry in bench.state.entries)
    assert bench.state["c"]["inputs"] == {"key": "stamp of a-2"}


def test_05_the_provider_may_wish_to_delete_first(bench: Bench) -> None:
    _replaced_delete_first(bench, "key=1, dbr=True", "key=2, dbr=True")


def test_06_the_program_may_ask_to_delete_first(bench: Bench) -> None:
    option = "opts=options(delete_before_replace=True)"
    _replaced_delete_first(bench, f"key=1, {option}", f"key=2, {option}")


def test_06_the_programs_word_outweighs_the_providers_wish(bench: Bench) -> None:
    option = "opts=options(delete_before_replace=False)"
    bench.good(f'Thing("a", key=1, dbr=True, {option})')
    report = bench.good(f'Thing("a", key=2, dbr=True, {option})')
    assert report.changing() == ["Create a", "Delete a"]


def test_07_what_is_dropped_is_deleted_dependants_first(bench: Bench) -> None:
    bench.good(family("x=1"))
    report = bench.good("pass", "same Stack", "delete a, b, c, e")
    assert sorted(report.changing()[:3]) == ["Delete b", "Delete c", "Delete e"]
    assert report.changing()[3:] == ["Delete a"]
    assert bench.state.names == ["Stack"]
    assert bench.world.alive() == []


def test_39_destroy_goes_in_waves_and_leaves_an_empty_file(bench: Bench) -> None:
    bench.good(FIRST)
    report = bench.destroy()
    assert report.ok, report
    assert report.did("delete Stack, k, a, b, d")
    assert report.steps[0] in {"delete b", "delete d"}
    assert report.steps[-1] == "delete Stack"
    assert sorted(report.changing()[:2]) == ["Delete b", "Delete d"]
    assert report.changing()[2:] == ["Delete a"]
    assert bench.state_path.exists()
    assert not bench.state.latest.get("resources")
    assert bench.world.alive() == []


def test_39_destroy_runs_no_program_and_can_be_repeated(bench: Bench) -> None:
    bench.good('Thing("a", x=1)')
    bench.program("raise RuntimeError('must not run')")
    assert bench.destroy().ok
    again = bench.destroy()
    assert again.ok, again
    assert again.steps == []


def test_42_outputs_alone_may_change(bench: Bench) -> None:
    bench.good("""
        a = Thing("a", x=1)
        pulumi.export("one", a.stamp)
        pulumi.export("two", [1, {"k": 2.5}])
    """)
    assert bench.state.outputs == {"one": "stamp of a-1", "two": [1, {"k": 2.5}]}
    program = """
        a = Thing("a", x=1)
        pulumi.export("one", 7)
    """
    report = bench.good(program, "same Stack, a")
    assert report.called()
    assert bench.state.outputs == {"one": 7}


def test_44_a_preview_of_a_replacement_only_asks(bench: Bench) -> None:
    bench.good(family("key=1"))
    report = bench.preview(family("key=2"))
    assert report.ok, report
    assert report.called()
    assert {"create-replacement a", "replace a", "update b", "replace c", "same e"} <= set(report.steps)
    assert report.call("Create", "a", preview=True)["news"] == {"key": 2}
    assert report.call("Update", "b", preview=True)["id"] == "b-1"
    assert bench.world.alive() == ["a-1", "b-1", "c-1", "e-1"]


def test_44_a_preview_of_delete_first_only_asks(bench: Bench) -> None:
    bench.good(family("key=1, dbr=True"))
    report = bench.preview(family("key=2, dbr=True"))
    assert report.ok, report
    assert report.called()
    assert {"replace a", "update b", "replace c", "same e"} <= set(report.steps)


def test_44_a_preview_of_removal_names_the_deletes(bench: Bench) -> None:
    bench.good(family("key=1"))
    report = bench.preview("pass")
    assert report.ok, report
    assert report.called()
    assert report.did("same Stack", "delete a, b, c, e")


def test_44_a_preview_of_nothing_yet_writes_nothing(bench: Bench) -> None:
    bench.script()
    bench.program(FIRST)
    before = bench.snapshot()
    report = bench.driver.run(bench, "preview")
    assert report.ok, report
    assert report.did("create Stack, k, a, b, d")
    after = {path: content for path, content in bench.snapshot().items() if path.endswith(".json")}
    state = [path for path in after if "/stacks/" in path and path not in before]
    assert not state or not json.loads(after[state[0]])["checkpoint"]["latest"].get("resources")
    assert bench.world.alive() == []


def test_47_depending_on_a_component_means_its_children(bench: Bench) -> None:
    bench.good("""
        k = Group("k")
        inner = Group("inner", opts=options(parent=k))
        d = Thing("d", x=1, opts=options(parent=inner))
        f = Thing("f", x=1, opts=options(parent=k))
        e = Thing("e", x=1, opts=options(depends_on=[k]))
    """)
    named = {urn.split("::")[3] for urn in bench.state["e"]["dependencies"]}
    assert named == {"d", "f"}


@pytest.mark.parametrize("fails", [False, True])
def test_05_a_dependant_that_lets_go_is_made_again_only_once_it_is_deleted(
    embedded_bench: Bench,
    fails: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    bench = embedded_bench  # the CLI makes the new one beside the delete, and loses one of them when that fails
    bench.good("""
        a = Thing("a", key=1, dbr=True)
        b = Thing("b", key=a.stamp)
    """)
    rule = {"call": "Delete", "name": "b", "delay_s": 1.0}
    bench.script({**rule, "error": "not now"} if fails else rule)
    report = bench.up("""
        import asyncio
        a = Thing("a", key=2, dbr=True)
        b = Thing("b", key=pulumi.Output.from_input(asyncio.sleep(0.5, 7)))
    """)
    assert report.ok is not fails, report
    assert report.changing()[0] == "Delete b"
    if not fails:
        moments = {(e["call"], e["phase"]): e["at"] for e in report.calls if e["name"] == "b"}
        assert moments["Delete", "end"] < moments["Create", "begin"]
    bench.script()
    bench.good()
    assert bench.world.alive() == sorted(bench.state[name]["id"] for name in "ab")
    assert len(bench.world.alive()) == 2
