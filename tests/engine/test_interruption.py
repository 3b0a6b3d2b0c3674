"""Conformance scenarios 16-18: interrupted, interrupted twice, and killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from enginelab.bench import Bench

PAIR = """
    a = Thing("a", x={x})
    b = Thing("b", x=a.stamp)
"""


def held(call: str) -> dict[str, str]:
    """Give the rule that holds a call for a at the gate."""
    return {"call": call, "name": "a", "gate": "go"}


def killed(bench: Bench, program: str, call: str) -> None:
    """Kill the engine in the middle of a call."""
    bench.script(held(call))
    run = bench.spawn(program)
    run.until_called(f"{call} a")
    run.kill()
    assert len(bench.locks) == 1
    bench.script()


def test_16_a_kill_during_create_leaves_lock_and_pending_operation(bench: Bench) -> None:
    killed(bench, PAIR.format(x=1), "Create")
    assert bench.state.pending == ["creating a"]
    assert bench.state.things == []
    refused = bench.driver.run(bench, "up")
    assert not refused.ok
    assert "lock" in refused.text
    assert refused.asked == []
    bench.unlock()
    report = bench.good(None, "same Stack", "create a, b")
    assert "a" in report.text
    assert "interrupted" in report.text or "pending" in report.text
    assert bench.state.pending == ["creating a"]
    report = bench.good(None, "same Stack, a, b")
    assert bench.state.pending == ["creating a"]


def test_16_pending_creates_outlive_a_refresh(bench: Bench) -> None:
    killed(bench, PAIR.format(x=1), "Create")
    bench.unlock()
    assert bench.refresh().ok
    assert bench.state.pending == ["creating a"]


def test_17_a_kill_during_update_is_repeated_and_forgotten(bench: Bench) -> None:
    bench.good(PAIR.format(x=1))
    killed(bench, PAIR.format(x=2), "Update")
    assert bench.state.pending == ["updating a"]
    assert bench.state["a"]["inputs"] == {"x": 1}
    bench.unlock()
    report = bench.good(None, "same Stack, b", "update a")
    assert "a" in report.text
    assert bench.state.pending == []


def test_17_a_kill_during_delete_is_repeated_and_forgotten(bench: Bench) -> None:
    bench.good('Thing("a", x=1)')
    killed(bench, "pass", "Delete")
    assert bench.state.pending == ["deleting a"]
    assert bench.state.things == ["a"]
    bench.unlock()
    report = bench.good(None, "same Stack", "delete a")
    assert report.called("Delete a")
    assert bench.state.pending == []


def test_17_a_kill_after_a_step_loses_nothing(bench: Bench) -> None:
    bench.script({"call": "Create", "name": "b", "gate": "go"})
    run = bench.spawn(PAIR.format(x=1))
    run.until_called("Create b")
    run.kill()
    assert bench.state.things == ["a"]
    assert bench.state.pending == ["creating b"]
    bench.unlock()
    bench.script()
    bench.good(None, "same Stack, a", "create b")


def test_18_one_interrupt_lets_running_steps_finish(bench: Bench) -> None:
    bench.script(held("Create"))
    run = bench.spawn(PAIR.format(x=1))
    run.until_called("Create a")
    run.interrupt()
    run.until_called("Cancel ")
    bench.world.open_gate("go")
    assert run.wait() == 1, run.text
    assert "cancel" in run.text.lower()
    assert bench.state.things == ["a"]
    assert bench.state.pending == []
    bench.inspect()
    bench.script()
    bench.good(None, "same Stack, a", "create b")


def test_18_an_interrupt_deletes_nothing(bench: Bench) -> None:
    bench.good('Thing("gone", x=1)')
    bench.script(held("Create"))
    run = bench.spawn(PAIR.format(x=1))
    run.until_called("Create a")
    run.interrupt()
    run.until_called("Cancel ")
    bench.world.open_gate("go")
    assert run.wait() == 1, run.text
    assert "gone" in bench.state.things


@pytest.mark.parametrize("call", ["Create", "Update"])
def test_18_two_interrupts_abandon_what_runs(bench: Bench, call: str) -> None:
    if call == "Update":
        bench.good(PAIR.format(x=1))
    bench.script(held(call))
    run = bench.spawn(PAIR.format(x=2))
    run.until_called(f"{call} a")
    run.interrupt()
    run.until_called("Cancel ")
    run.interrupt()
    assert run.wait() == 8, run.text
    assert bench.state.pending == [{"Create": "creating a", "Update": "updating a"}[call]]
    assert not bench.locks
    bench.inspect()


def test_18_an_interrupt_before_the_program_asks_for_anything(bench: Bench) -> None:
    marker = bench.home / "started"
    run = bench.spawn(f"""
        import pathlib, time
        pathlib.Path({str(marker)!r}).touch()
        time.sleep(20)
    """)
    run.until("the program's start", marker.exists)
    run.interrupt()
    assert run.wait() == 1, run.text
    bench.inspect()
