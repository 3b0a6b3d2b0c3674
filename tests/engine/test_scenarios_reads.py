"""Conformance scenarios 28, 29 and 38: what others own, and what changed behind the engine's back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from enginelab.bench import CANARY

if TYPE_CHECKING:
    from enginelab.bench import Bench

FOUND = 'r = Thing("r", opts=options(id="r-77"))'
FAMILY = """
    a = Thing("a", x=1)
    b = Thing("b", x=1)
    c = Thing("c", x=b.stamp)
    d = Thing("d", x=1, opts=options(depends_on=[b]))
"""


def test_28_a_read_resource_is_read_every_time_and_let_go(bench: Bench) -> None:
    bench.world.put("r-77", {"x": 5, "stamp": "found"})
    program = FOUND + '\npulumi.export("stamp", r.stamp)'
    bench.good(program, "create Stack", "read r")
    entry = bench.state["r"]
    assert entry["external"] is True
    assert (entry["id"], entry["outputs"]) == ("r-77", {"x": 5, "stamp": "found"})
    assert bench.state.outputs == {"stamp": "found"}
    bench.world.drift("r-77", stamp="changed")
    report = bench.good(program, "same Stack", "read r")
    assert report.called("Read r")
    assert bench.state.outputs == {"stamp": "changed"}
    report = bench.good("pass", "same Stack", "discard r")
    assert report.called()
    assert bench.world.alive() == ["r-77"]


def test_28_it_keeps_what_the_program_gave_and_what_was_found(bench: Bench) -> None:
    bench.world.put("r-77", {"x": 5, "stamp": "found"})
    bench.good(f'Thing("r", y=3, s=pulumi.Output.secret("{CANARY}"), opts=options(id="r-77"))')
    assert bench.state["r"]["inputs"] == {"y": 3, "s": {"secret": CANARY}}
    assert bench.state["r"]["outputs"] == {"x": 5, "stamp": "found"}


def test_28_a_missing_one_is_a_failure(bench: Bench) -> None:
    report = bench.bad(FOUND)
    assert report.called("Read r")
    assert bench.state.things == []
    assert "r-77" in report.text


def test_28_preview_reads_too(bench: Bench) -> None:
    bench.world.put("r-77", {"x": 5, "stamp": "found"})
    bench.good("pass")
    report = bench.preview(FOUND)
    assert report.ok, report
    assert report.did("same Stack", "read r")


def test_28_destroy_lets_go_of_it(bench: Bench) -> None:
    bench.world.put("r-77", {"x": 5})
    bench.good(FOUND)
    report = bench.destroy()
    assert report.ok, report
    assert not report.calls_of("Delete", "r")
    assert bench.world.alive() == ["r-77"]


def test_29_what_was_read_can_become_owned(bench: Bench) -> None:
    bench.world.put("r-77", {"x": 5})
    bench.good(FOUND)
    report = bench.good(
        'Thing("r", x=6)',
        *("same Stack", "create-replacement r", "replace r", "discard-replaced r"),
    )
    assert report.called("Create r")
    assert bench.world.alive() == ["r-1", "r-77"]
    assert "external" not in bench.state["r"]


def test_29_what_was_owned_can_become_read(bench: Bench) -> None:
    bench.good('Thing("r", x=6)')
    bench.world.put("r-77", {"x": 5})
    report = bench.good(FOUND)
    assert "read-replacement r" in report.steps
    assert report.called("Read r", "Delete r")
    assert bench.state["r"]["id"] == "r-77"
    assert bench.world.alive() == ["r-77"]


def test_38_refresh_learns_what_changed_and_up_mends_it(bench: Bench) -> None:
    bench.good(FAMILY)
    bench.world.drift("a-1", x=9)
    bench.world.put("b-1", None)
    report = bench.refresh()
    assert report.ok, report
    assert report.called("Read a, b, c, d")
    assert bench.state["a"]["inputs"] == {"x": 9}
    assert bench.state["a"]["outputs"] == {"x": 9, "stamp": "stamp of a-1"}
    assert bench.state.things == ["a", "c", "d"]
    assert bench.state["c"].get("dependencies", []) == []
    assert not bench.state["c"].get("propertyDependencies", {}).get("x")
    assert bench.state["d"].get("dependencies", []) == []
    report = bench.good(FAMILY, "same Stack, d", "update a, c", "create b")
    assert bench.world.get("a-1") == {"x": 1, "stamp": "stamp of a-1"}
    assert bench.state["c"]["inputs"] == {"x": "stamp of b-2"}


def test_38_refresh_names_what_it_found(bench: Bench) -> None:
    bench.good(FAMILY)
    bench.world.drift("a-1", x=9)
    bench.world.put("b-1", None)
    report = bench.refresh()
    assert "update a" in report.steps
    assert "delete b" in report.steps
    assert not [step for step in report.steps if step.startswith(("update", "delete")) and step[-1] in "cd"]


def test_38_an_undrifted_refresh_changes_nothing(bench: Bench) -> None:
    bench.good(FAMILY)
    before = bench.state
    report = bench.refresh()
    assert report.ok, report
    assert bench.state.normal() == before.normal()


def test_38_children_of_a_vanished_parent_let_go_of_it(bench: Bench) -> None:
    bench.good("""
        k = Group("k")
        a = Thing("a", x=1, opts=options(parent=k))
        b = Thing("b", x=1, opts=options(parent=a))
    """)
    bench.world.put("a-1", None)
    assert bench.refresh().ok
    assert bench.state["b"].get("parent", "") in {"", bench.state["k"]["urn"]}
    bench.good(None, "same Stack, k, b", "create a")
    assert bench.state["b"]["parent"] == bench.state["a"]["urn"]


def test_38_one_failing_read_does_not_stop_the_others(bench: Bench) -> None:
    bench.good(FAMILY)
    bench.world.drift("a-1", x=9)
    bench.script({"call": "Read", "name": "b", "error": "unreachable"})
    report = bench.refresh()
    assert not report.ok
    assert report.exit_code == 1
    assert report.failed == ["b"]
    assert bench.state.things == ["a", "b", "c", "d"]
    assert bench.state["a"]["inputs"] == {"x": 9}


def test_38_a_read_without_inputs_keeps_the_old_ones(bench: Bench) -> None:
    bench.good(FAMILY)
    bench.world.drift("a-1", x=9)
    bench.script({"call": "Read", "name": "a", "without_inputs": True})
    assert bench.refresh().ok
    assert bench.state["a"]["inputs"] == {"x": 1}
    assert bench.state["a"]["outputs"] == {"x": 9, "stamp": "stamp of a-1"}


@pytest.mark.parametrize("accepts", [False, True])
def test_38_secrets_survive_a_refresh(bench: Bench, accepts: bool) -> None:  # noqa: FBT001 - a parameter of the test
    bench.script(acceptSecrets=accepts)
    bench.good(f'Thing("a", x=pulumi.Output.secret("{CANARY}"), y=1)')
    bench.world.drift("a-1", y=2)
    assert bench.refresh().ok
    assert bench.state["a"]["inputs"] == {"x": {"secret": CANARY}, "y": 2}
    assert bench.state["a"]["outputs"]["x"] == {"secret": CANARY}
