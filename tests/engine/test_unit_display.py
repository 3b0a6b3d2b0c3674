from __future__ import annotations

from typing import Any

import pytest

from localcloud.engine import planning
from localcloud.engine.clients import Diff
from localcloud.engine.differences import changed_paths, describe
from localcloud.engine.events import Diagnostic, Event, PropertyDiff, StepFinished
from localcloud.engine.paths import parse, render
from localcloud.engine.plugins import without_traceback
from localcloud.engine.reporter import Reporter
from localcloud.engine.state import ResourceState
from localcloud.engine.values import UNKNOWN, Secret

THING = "urn:pulumi:dev::p::a:b:C::x"


class TestDifferences:
    def test_every_leaf_that_differs_is_named(self) -> None:
        old = {"a": 1, "b": {"c": [1, 2]}, "gone": 1, "same": [1]}
        new = {"a": 2, "b": {"c": [1, 3, 4]}, "added": {"x": 1}, "same": [1]}
        found = {render(path): kind for path, kind in changed_paths(old, new)}
        assert found == {"a": "update", "b.c[1]": "update", "b.c[2]": "add", "gone": "delete", "added": "add"}

    def test_marks_and_internal_keys_are_no_difference(self) -> None:
        assert changed_paths({"a": Secret(1), "__defaults": []}, {"a": 1, "__defaults": ["x"]}) == []

    def test_secrets_are_never_shown(self) -> None:
        old, new = {"a": Secret("x"), "b": {"c": "open"}, "d": 1}, {"a": "y", "b": Secret({"c": "z"}), "d": 2}
        shown = describe(changed_paths(old, new), old, new, hidden=["d"])
        assert shown == (
            PropertyDiff("a", "update", "[secret]", "[secret]"),
            PropertyDiff("b.c", "update", "[secret]", "[secret]"),
            PropertyDiff("d", "update", "[hidden]", "[hidden]"),
        )

    def test_unknown_values_say_so(self) -> None:
        shown = describe([(parse("a"), "update")], {"a": 1}, {"a": UNKNOWN})
        assert shown == (PropertyDiff("a", "update", 1, "[unknown]"),)


class TestOpinions:
    def old(self, **inputs: Any) -> ResourceState:
        return ResourceState(urn=THING, custom=True, type="a:b:C", inputs=inputs, outputs={**inputs, "more": 1})

    def test_unknown_is_settled_by_comparing_inputs(self) -> None:
        old = self.old(x=Secret(1))
        assert planning.compared(Diff("unknown"), old, {"x": 1}).changes == "none"
        assert planning.compared(Diff("unknown"), old, {"x": 2}).detailed == {"x": "update"}

    def test_drift_is_named_where_inputs_are_equal(self) -> None:
        old = self.old(x=1)
        old.outputs["x"] = 5
        diff = planning.compared(Diff("some"), old, {"x": 1})
        assert planning.shown(diff, old, old) == (PropertyDiff("x", "update", 5, 1),)

    def test_reasons_to_replace_count_only_where_there_is_a_change(self) -> None:
        assert not Diff("none", replaces=("x",)).must_replace
        assert Diff("some", replaces=("x",)).must_replace

    def test_replace_on_changes_reaches_below_its_path(self) -> None:
        diff = planning.with_forced_keys(Diff("some", detailed={"n.k": "update"}), ["n"], has_init_errors=False)
        assert diff.replaces == ("n.k",)
        diff = planning.with_forced_keys(Diff("some", detailed={"n.k": "update"}), ["n.l"], has_init_errors=False)
        assert diff.replaces == ()

    def test_init_errors_can_force_a_replacement(self) -> None:
        assert planning.with_forced_keys(Diff("none"), ["#initerror"], has_init_errors=True).must_replace


class TestTheReporter:
    def test_secrets_are_struck_from_what_is_said(self) -> None:
        said: list[Event] = []
        reporter = Reporter("update", said.append)
        reporter.hide({"a": Secret({"b": "hush-hush"}), "c": "open", "d": Secret("abc")})
        reporter.say("info", "open hush-hush abc")
        assert isinstance(said[0], Diagnostic)
        assert said[0].message == "open [secret] abc"

    def test_halves_of_a_replacement_and_default_providers_are_not_counted(self) -> None:
        said: list[Event] = []
        reporter = Reporter("update", said.append)
        for urn, operation in [
            (THING, "create-replacement"),
            (THING, "replace"),
            (THING, "delete-replaced"),
            ("urn:pulumi:dev::p::pulumi:providers:a::default", "create"),
        ]:
            step = reporter.plan(urn, operation)  # type: ignore[arg-type]  # literals of the table
            reporter.finish(step, failed=False, began=0)
        result = reporter.result(succeeded=True, outputs={}, cancelled=False)
        assert result.changes == {"replace": 1}
        assert len([event for event in said if isinstance(event, StepFinished)]) == 3


def test_of_a_traceback_the_error_is_left() -> None:
    text = (
        "Traceback (most recent call last):\n"
        '  File "a.py", line 1, in f\n    g()\nKeyError: 1\n\n'
        "During handling of the above exception, another exception occurred:\n\n"
        "Traceback (most recent call last):\n"
        '  File "b.py", line 2, in g\n    h()\n    ^^^\nhost.StepError: it failed\n  | evidence\n  next: try again'
    )
    assert without_traceback(text) == "host.StepError: it failed\n  | evidence\n  next: try again"
    assert without_traceback("plain words") == "plain words"


def test_a_listener_that_raises_does_not_upset_the_run() -> None:
    def listener(event: Event) -> None:
        raise OSError(f"no {event.at:.0f}")

    reporter = Reporter("update", listener)
    reporter.say("info", "one")
    reporter.say("info", "two")
    assert len(reporter.result(succeeded=True, outputs={}, cancelled=False).diagnostics) == 2
    with pytest.raises(OSError, match="no 0"):
        reporter.raise_what_the_listener_raised()
