"""The engine's own face: events in order, outputs and resources without a run, removal, one engine used again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from enginelab.bench import CANARY

from localcloud.engine import EngineError
from localcloud.engine.events import Diagnostic, Finished, ProgramStarted, StepFinished, StepPlanned, StepStarted

if TYPE_CHECKING:
    from enginelab.bench import Bench
    from enginelab.embedded import Embedded

    from localcloud.engine import Engine

PROGRAM = f"""
    a = Thing("a", x=1, s=pulumi.Output.secret("{CANARY}"))
    b = Thing("b", x=a.stamp)
    pulumi.export("stamp", b.stamp)
    pulumi.export("sealed", a.s)
    pulumi.export("deep", {{"k": [a.s]}})
"""


def engine_of(bench: Bench, on_event: object = None) -> Engine:
    """Make the engine of a laboratory."""
    driver: Embedded = bench.driver  # type: ignore[assignment]  # the fixture's own
    return driver.engine(bench, on_event)


def test_events_tell_the_run_in_order(embedded_bench: Bench) -> None:
    events: list[object] = []
    embedded_bench.program(PROGRAM)
    result = engine_of(embedded_bench, events.append).up()
    assert result.succeeded
    assert [type(event) for event in events].index(ProgramStarted) == 0
    assert isinstance(events[-1], Finished)
    assert events[-1].result == result
    for name in "ab":
        kinds = [type(event) for event in events if getattr(getattr(event, "step", None), "name", "") == name]
        assert kinds == [StepPlanned, StepStarted, StepFinished]
    times = [event.at for event in events]  # type: ignore[attr-defined]  # every event has its time
    assert times == sorted(times)
    assert times[0] >= 0


def test_nothing_shown_holds_a_secret(embedded_bench: Bench) -> None:
    events: list[object] = []
    embedded_bench.program(PROGRAM)
    engine_of(embedded_bench, events.append).up()
    embedded_bench.program(PROGRAM.replace(CANARY, f"{CANARY} changed"))
    result = engine_of(embedded_bench, events.append).up()
    assert CANARY not in repr(events)
    assert CANARY not in repr(result)
    step = next(step for step in result.steps if step.name == "a")
    assert [(item.path, item.kind, item.old, item.new) for item in step.diff] == [
        ("s", "update", "[secret]", "[secret]")
    ]
    assert result.outputs["sealed"] == "[secret]"


def test_errors_of_a_provider_are_told_once_with_their_urn(embedded_bench: Bench) -> None:
    events: list[object] = []
    embedded_bench.script({"call": "Create", "name": "a", "error": "no room"})
    embedded_bench.program(PROGRAM)
    result = engine_of(embedded_bench, events.append).up()
    told = [event for event in events if isinstance(event, Diagnostic) and "no room" in event.message]
    assert len(told) == 1
    assert told[0].urn.endswith("::a")
    assert told[0] in result.diagnostics


def test_a_change_is_counted_once(embedded_bench: Bench) -> None:
    program = 'Thing("a", key={})\nThing("b", x={})'
    embedded_bench.good(program.format(1, 1))
    embedded_bench.program(program.format(2, 2))
    result = engine_of(embedded_bench).up()
    assert result.changes == {"same": 1, "replace": 1, "update": 1}

    again = engine_of(embedded_bench).up()
    assert again.changes == {"same": 3}


def test_outputs_are_read_without_a_run(embedded_bench: Bench) -> None:
    embedded_bench.good(PROGRAM)
    since = len(embedded_bench.world.entries())
    engine = engine_of(embedded_bench)
    shown = engine.outputs()
    assert shown.pop("deep") in ("[secret]", {"k": ["[secret]"]})
    assert shown == {"stamp": "stamp of b-1", "sealed": "[secret]"}
    plain = {"stamp": "stamp of b-1", "sealed": CANARY, "deep": {"k": [CANARY]}}
    assert engine.outputs(show_secrets=True) == plain
    assert len(embedded_bench.world.entries()) == since


def test_a_stack_exists_once_it_ran_and_until_it_is_removed(embedded_bench: Bench) -> None:
    engine = engine_of(embedded_bench)
    assert not engine.exists()
    embedded_bench.good(PROGRAM)
    assert engine_of(embedded_bench).exists()
    with pytest.raises(EngineError, match="resources"):
        engine_of(embedded_bench).remove()
    assert embedded_bench.destroy().ok
    engine_of(embedded_bench).remove()
    assert not engine_of(embedded_bench).exists()
    assert not embedded_bench.state_path.exists()


def test_resources_are_read_without_a_run(embedded_bench: Bench) -> None:
    embedded_bench.good(PROGRAM)
    entries = {entry.urn.split("::")[3]: entry for entry in engine_of(embedded_bench).resources()}
    assert entries["b"].id == "b-1"
    assert entries["b"].outputs["stamp"] == "stamp of b-1"


def test_an_engine_can_be_used_again(embedded_bench: Bench) -> None:
    embedded_bench.program(PROGRAM)
    engine = engine_of(embedded_bench)
    assert engine.preview().changes == {"create": 3}
    assert engine.up().changes == {"create": 3}
    assert engine.up().changes == {"same": 3}
    assert engine.refresh().succeeded
    assert engine.destroy().changes == {"delete": 3}
    embedded_bench.inspect()


def test_a_look_reads_everything_and_touches_no_file(embedded_bench: Bench) -> None:
    embedded_bench.good(PROGRAM)
    embedded_bench.world.drift("a-1", x=9)
    before = {path: path.read_bytes() for path in embedded_bench.backend.rglob("*") if path.is_file()}

    result = engine_of(embedded_bench).look()

    found = {step.name: step for step in result.steps}
    assert result.succeeded
    assert (found["a"].op, found["b"].op) == ("update", "same")
    assert [(each.path, each.old, each.new) for each in found["a"].diff] == [("x", 1, 9)]
    assert found["b"].found == {"x": "stamp of a-1", "stamp": "stamp of b-1"}
    assert CANARY not in repr([step.found for step in result.steps])
    assert {path: path.read_bytes() for path in embedded_bench.backend.rglob("*") if path.is_file()} == before


def test_a_look_needs_no_lock_and_names_what_is_gone(embedded_bench: Bench) -> None:
    embedded_bench.good(PROGRAM)
    embedded_bench.world.put("b-1", None)
    lock = embedded_bench.backend / ".pulumi" / "locks" / "organization" / "lab" / "dev" / "other.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("{}")

    steps = {step.name: step.op for step in engine_of(embedded_bench).look().steps}
    assert steps == {"a": "same", "b": "delete"}
    lock.unlink()


def test_up_with_refresh_reads_the_world_first_and_mends_it_in_one_run(embedded_bench: Bench) -> None:
    embedded_bench.good(PROGRAM)
    embedded_bench.world.drift("a-1", x=9)
    embedded_bench.world.put("b-1", None)
    assert engine_of(embedded_bench).up().changes == {"same": 3}

    result = engine_of(embedded_bench).up(refresh=True)

    assert result.changes == {"refresh": 2, "same": 1, "update": 1, "create": 1}
    assert [step.name for step in result.steps if step.op == "refresh" and step.diff] == ["a"]
    assert embedded_bench.world.get("a-1")["x"] == 1
    assert engine_of(embedded_bench).up(refresh=True).changes == {"refresh": 2, "same": 3}
    embedded_bench.inspect()


def test_the_process_that_read_the_world_goes_on_while_its_configuration_is_the_same(embedded_bench: Bench) -> None:
    embedded_bench.configure({"testprovider:token": "old"})
    embedded_bench.good(PROGRAM)
    for token, processes in (("old", 1), ("new", 2)):
        embedded_bench.configure({"testprovider:token": token})
        embedded_bench.world.drift("a-1", x=9)
        begun = len(embedded_bench.world.entries())

        assert engine_of(embedded_bench).up(refresh=True).succeeded

        calls = embedded_bench.world.entries(since=begun)
        configured = {each["variables"]["testprovider:config:token"] for each in calls if each["call"] == "Configure"}
        assert configured == {"old", token}
        assert [each["call"] for each in calls].count("Configure") == processes
        assert len({each["pid"] for each in calls if each["call"] in ("Read", "Update")}) == processes
        assert embedded_bench.world.get("a-1")["x"] == 1
        embedded_bench.inspect()


def test_the_program_declares_while_the_world_is_being_read(embedded_bench: Bench) -> None:
    embedded_bench.good(PROGRAM)
    embedded_bench.script({"call": "Read", "name": "b", "gate": "go"})
    declared = embedded_bench.root / "declared"
    embedded_bench.program(f"{PROGRAM}\n    import pathlib; pathlib.Path({str(declared)!r}).touch()")
    begun = len(embedded_bench.world.entries())
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(engine_of(embedded_bench).up(refresh=True)))
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not declared.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert declared.exists()
        assert "Check" not in {each["call"] for each in embedded_bench.world.entries(since=begun)}
    finally:
        embedded_bench.world.open_gate("go")
        thread.join()
    assert [result.changes for result in results] == [{"refresh": 2, "same": 3}]  # type: ignore[attr-defined]


def test_a_read_that_fails_stops_the_up_behind_it(embedded_bench: Bench) -> None:
    embedded_bench.good(PROGRAM)
    embedded_bench.script({"call": "Read", "name": "b", "error": "unreachable"})
    embedded_bench.program(PROGRAM.replace("x=1", "x=2"))

    result = engine_of(embedded_bench).up(refresh=True)

    assert not result.succeeded
    assert embedded_bench.world.get("a-1")["x"] == 1
    embedded_bench.inspect()


def test_cancel_from_a_thread_stops_a_run(embedded_bench: Bench) -> None:
    embedded_bench.script({"call": "Create", "name": "a", "gate": "go"})
    embedded_bench.program(PROGRAM)
    engine = engine_of(embedded_bench)

    def interrupt() -> None:
        embedded_bench.world.wait_for("Create a")
        engine.cancel()
        embedded_bench.world.wait_for("Cancel ")
        embedded_bench.world.open_gate("go")

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = engine.up()
    thread.join()
    assert not result.succeeded
    assert result.cancelled
    assert embedded_bench.state.things == ["a"]
    embedded_bench.inspect()


def test_work_is_done_in_parallel(embedded_bench: Bench) -> None:
    embedded_bench.script(
        {"call": "Create", "name": "a", "after": "Create b"}, {"call": "Create", "name": "b", "after": "Create a"}
    )
    embedded_bench.good("""
        Thing("a", x=1)
        Thing("b", x=1)
    """)


def test_no_more_than_the_chosen_number_at_once(embedded_bench: Bench) -> None:
    embedded_bench.script({"call": "Create", "delay_s": 0.1})
    embedded_bench.program('for n in range(6): Thing(f"t{n}", x=1)')
    driver: Embedded = embedded_bench.driver  # type: ignore[assignment]  # the fixture's own
    assert driver.engine(embedded_bench, parallel=2).up().succeeded
    running = most = 0
    for entry in embedded_bench.world.entries():
        if entry["call"] == "Create":
            running += 1 if entry["phase"] == "begin" else -1
            most = max(most, running)
    assert most <= 2
