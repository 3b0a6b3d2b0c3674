"""Conformance scenarios 8-15, 19, 20, 40, 41 and 48: what is kept, and what is not done, when something fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from enginelab.bench import Bench

CHAIN = """
    a = Thing("a", x=1)
    b = Thing("b", x=a.stamp)
    c = Thing("c", x=b.stamp)
    d = Thing("d", x=1)
"""


def thing(properties: str, **export: str) -> str:
    """Give a program of one thing, and what it exports."""
    exports = "".join(f"\npulumi.export({name!r}, {value})" for name, value in export.items())
    return f'a = Thing("a", {properties}){exports}'


def failing(call: str, name: str, **more: object) -> dict[str, object]:
    """Give the rule that lets a call fail."""
    return {"call": call, "name": name, "error": f"{call} of {name} is refused", **more}


def test_08_what_runs_beside_a_failure_is_finished_and_kept(bench: Bench) -> None:
    bench.script(failing("Create", "b", after="Create d"), {"call": "Create", "name": "d", "delay_s": 0.5})
    report = bench.bad(CHAIN)
    assert report.did("create Stack, a, d"), report
    assert report.failed == ["b"]
    assert "Create of b is refused" in report.text
    assert bench.state.things == ["a", "d"]
    assert bench.state.pending == []
    assert not report.calls_of("Check", "c")


def test_09_a_rerun_goes_on_where_it_failed(bench: Bench) -> None:
    bench.script(failing("Create", "b", after="Create d"))
    bench.bad(CHAIN)
    bench.script()
    report = bench.good(CHAIN, "same Stack, a, d", "create b, c")
    assert report.called("Create b, c")


def test_10_a_failed_update_leaves_the_state_as_it_was(bench: Bench) -> None:
    bench.good(thing("x=1", stamp="a.stamp"))
    before = bench.state
    bench.script(failing("Update", "a"))
    report = bench.bad(thing("x=2", stamp="a.stamp"))
    assert report.failed == ["a"]
    assert bench.state["a"] == before["a"]
    assert bench.state.outputs == {"stamp": "stamp of a-1"}
    assert bench.state.pending == []


def test_11_a_half_made_resource_is_kept_and_mended(bench: Bench) -> None:
    bench.script({"call": "Create", "name": "a", "partial": ["not well", "not at all"]})
    report = bench.bad(thing("x=1"))
    assert report.failed == ["a"]
    entry = bench.state["a"]
    assert entry["initErrors"] == ["not well", "not at all"]
    assert (entry["id"], entry["inputs"]) == ("a-1", {"x": 1})
    assert entry["outputs"] == {"x": 1, "stamp": "stamp of a-1"}
    bench.script()
    report = bench.good(thing("x=1"), "same Stack", "update a")
    assert report.call("Update", "a")["news"] == {"x": 1}
    assert "initErrors" not in bench.state["a"]
    bench.good(None, "same Stack, a")


def test_12_a_half_done_update_keeps_old_inputs_and_new_outputs(bench: Bench) -> None:
    bench.good(thing("x=1"))
    bench.script({"call": "Update", "name": "a", "partial": ["stuck"]})
    report = bench.bad(thing("x=2"))
    assert report.failed == ["a"]
    entry = bench.state["a"]
    assert entry["inputs"] == {"x": 1}
    assert entry["outputs"] == {"x": 2, "stamp": "stamp of a-1"}
    assert entry["initErrors"] == ["stuck"]
    bench.script()
    report = bench.good(thing("x=2"), "same Stack", "update a")
    assert report.call("Diff", "a")["old_inputs"] == {"x": 1}
    assert bench.state["a"]["inputs"] == {"x": 2}
    assert "initErrors" not in bench.state["a"]


def test_13_a_failed_last_delete_is_tried_again_every_run(bench: Bench) -> None:
    bench.good(thing("key=1"))
    bench.script({"call": "Delete", "id": "a-1", "error": "stays"})
    report = bench.bad(thing("key=2"))
    assert report.called("Create a", "Delete a")
    assert sorted(bench.state.things) == ["a", "a (delete)"]
    assert bench.state["a (delete)"]["id"] == "a-1"
    report = bench.bad(thing("key=2"))
    assert report.did("same Stack, a")
    assert report.called("Delete a")
    bench.script()
    bench.good(thing("key=2"), "same Stack, a", "delete-replaced a")
    assert bench.state.things == ["a"]
    assert bench.world.alive() == ["a-2"]


def _half_replaced(bench: Bench) -> None:
    """Bring a stack where a is deleted for replacement and its new one could not be made."""
    bench.good(thing("key=1, dbr=True"))
    bench.script(failing("Create", "a"))
    report = bench.bad(thing("key=2, dbr=True"))
    assert report.called("Delete a", "Create a")
    assert bench.state.things == ["a (pendingReplacement)"]
    assert bench.state.pending == []
    bench.script()


def test_14_a_failed_replacement_goes_on_without_a_second_delete(bench: Bench) -> None:
    _half_replaced(bench)
    report = bench.good(thing("key=2, dbr=True"), "same Stack", "replace a", "create-replacement a")
    assert report.called("Create a")
    assert bench.state.things == ["a"]
    assert bench.state["a"]["id"] == "a-2"


def test_14_it_goes_on_even_when_the_change_is_taken_back(bench: Bench) -> None:
    _half_replaced(bench)
    report = bench.good(thing("key=1, dbr=True"), "same Stack", "replace a", "create-replacement a")
    assert report.called("Create a")


def test_15_what_was_deleted_for_replacement_is_just_forgotten(bench: Bench) -> None:
    _half_replaced(bench)
    report = bench.good("pass", "same Stack")
    assert report.called()
    assert bench.state.names in (["Stack"], ["Stack", "default"])


def test_19_protection_holds_and_a_retained_one_is_let_go(bench: Bench) -> None:
    bench.good("""
        Thing("a", x=1, opts=options(protect=True))
        Thing("r", x=1, opts=options(retain_on_delete=True))
    """)
    assert bench.state["a"]["protect"] is True
    assert bench.state["r"]["retainOnDelete"] is True
    report = bench.bad("pass")
    assert report.did("same Stack", "delete r"), report
    assert report.failed == ["a"]
    assert "protect" in report.text
    assert report.called()
    assert bench.state.things == ["a"]
    assert bench.world.alive() == ["a-1", "r-1"]


def test_19_destroy_honours_protection(bench: Bench) -> None:
    bench.good("""
        Thing("a", x=1, opts=options(protect=True))
        Thing("b", x=1)
    """)
    report = bench.destroy()
    assert not report.ok
    assert report.exit_code == 1
    assert "a" in bench.state.things
    assert "a-1" in bench.world.alive()


def test_19_protection_is_inherited_and_can_be_taken_back(bench: Bench) -> None:
    program = """
        k = Group("k", opts=options(protect={protect}))
        Thing("a", x=1, opts=options(parent=k))
        Thing("b", x=1, opts=options(parent=k, protect=False))
    """
    bench.good(program.format(protect=True))
    assert bench.state["a"]["protect"] is True
    assert "protect" not in bench.state["b"]
    bench.good(program.format(protect=False), "same Stack, k, a, b")
    assert "protect" not in bench.state["a"]
    bench.good("pass", "same Stack", "delete k, a, b")


def test_20_a_protected_resource_is_not_replaced(bench: Bench) -> None:
    protected = "key={key}, opts=options(protect=True)"
    bench.good(thing(protected.format(key=1)))
    before = bench.state["a"]
    bench.program(thing(protected.format(key=2)))
    preview = bench.preview()
    assert not preview.ok
    assert preview.exit_code == 1
    report = bench.bad()
    assert report.called()
    assert "protect" in report.text
    assert bench.state["a"] == before


def test_40_a_raising_program_keeps_what_is_done_and_deletes_nothing(bench: Bench) -> None:
    bench.good("""
        Thing("a", x=1)
        Thing("gone", x=1)
        pulumi.export("old", 1)
        pulumi.export("both", 1)
    """)
    report = bench.bad("""
        Thing("a", x=2)
        pulumi.export("both", 2)
        pulumi.export("new", 3)
        raise ValueError("the program's own mistake")
    """)
    assert report.called("Update a")
    assert "the program's own mistake" in report.text
    assert bench.state.things == ["a", "gone"]
    assert bench.state["a"]["inputs"] == {"x": 2}
    assert bench.state.outputs == {"old": 1, "both": 2, "new": 3}


def test_40_a_run_error_is_told_without_a_traceback(bench: Bench) -> None:
    report = bench.bad('raise pulumi.RunError("please configure me")')
    assert "please configure me" in report.text
    assert "Traceback" not in report.text


@pytest.mark.parametrize("program", ["def (", "import there_is_no_such_module"])
def test_40_a_program_that_cannot_start_is_a_failure(bench: Bench, program: str) -> None:
    bench.good(thing("x=1"))
    report = bench.bad(program)
    assert bench.state.things == ["a"]
    assert "there_is_no_such_module" in report.text or "SyntaxError" in report.text


def test_41_a_failed_check_names_property_and_reason(bench: Bench) -> None:
    bench.good(thing("x=1"))
    bench.script({"call": "Check", "name": "b", "failures": {"x": "must be even"}})
    report = bench.bad('Thing("b", x=1)')
    assert report.called()
    assert "must be even" in report.text
    assert "x" in report.text
    assert report.failed == ["b"] or "b" in report.text
    assert bench.state.things == ["a"]


def test_41_a_urn_may_occur_once(bench: Bench) -> None:
    bench.good('Thing("z", x=1)')
    report = bench.bad("""
        first = Thing("a", x=1)
        Thing("a", x=2, opts=options(depends_on=[first]))
    """)
    assert report.called("Create a")
    assert "duplicate" in report.text.lower()
    assert bench.state.things == ["a", "z"]


def test_41_a_program_that_exits_fails_the_run(bench: Bench) -> None:
    bench.good('Thing("z", x=1)')
    report = bench.bad("""
        import sys
        sys.exit(3)
    """)
    assert report.called()
    assert bench.state.things == ["z"]
    assert "3" in report.text


def test_41_an_empty_id_is_no_success(bench: Bench) -> None:
    bench.script({"call": "Create", "name": "a", "id": ""})
    report = bench.bad(thing("x=1"))
    assert report.failed == ["a"]
    assert bench.state.things == []
