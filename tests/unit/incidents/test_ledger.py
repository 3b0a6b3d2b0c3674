"""The ledger: what is counted and what is not, heals that are doubted, and pages and documents made of it."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incident_samples import INCIDENTS, empty_server, half_way, lock_file, placeholders
from page_shape import Shape

from infra.healing.ledger import document_of_ledger, ledger_of, unwatched_heals
from infra.healing.ledger_page import page_of_ledger, summary_of_ledger
from infra.healing.plots import BOTTOM, LEFT, RIGHT, TOP, plot_of

if TYPE_CHECKING:
    from infra.healing.incident import Incident

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/ledger-1.json").read_text())
BEGIN = datetime(2025, 11, 1, 8, tzinfo=UTC)


def moved(
    sample: Incident, minutes: float, *, repair_s: float = 30.0, detection_s: float = 2.0, **fields: Any
) -> Incident:
    """A sample at another time."""
    began = BEGIN + timedelta(minutes=minutes)
    detected = began + timedelta(seconds=detection_s)
    times = {"began": began, "detected": detected, "ended": detected + timedelta(seconds=repair_s)}
    words = {name: f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z" for name, at in times.items()}
    return dataclasses.replace(sample, id=f"{began:%Y%m%dT%H%M%SZ}-0001", **words, **fields)


def test_the_figures_of_a_history() -> None:
    ledger = ledger_of(
        "local",
        [
            moved(placeholders(), 600, detection_s=4.0),
            moved(lock_file(), 0, repair_s=40.0),
            moved(empty_server(), 300, repair_s=20.0, detection_s=3.0),
            moved(half_way(), 900),
        ],
    )
    assert (ledger.incidents, ledger.healed) == (4, 2)
    assert (ledger.issues, ledger.issues_healed, ledger.heal_rate) == (6, 4, 0.6667)
    assert (ledger.mttr_s, ledger.median_repair_s) == (30.0, 30.0)
    assert (ledger.mttd_s, ledger.median_detection_s) == (2.75, 2.5)
    assert ledger.suspects == ()
    rows = {row.code: (row.met, row.healed, row.escalated, row.median_repair_s) for row in ledger.causes}
    assert rows == {
        "CHECKOUT_MISSING": (2, 2, 0, 20.0),
        "LOCK_FILE_MISSING": (2, 2, 0, 40.0),
        "SECRET_MISSING": (2, 0, 2, None),
    }
    assert [line.id for line in ledger.lines] == sorted((line.id for line in ledger.lines), reverse=True)


def test_what_the_watch_healed_within_the_hour_is_counted_by_fault() -> None:
    now = f"{BEGIN + timedelta(minutes=100):%Y-%m-%dT%H:%M:%S}.000Z"
    history = [
        moved(empty_server(), 30, trigger="watch"),
        moved(empty_server(), 60, trigger="watch"),
        moved(empty_server(), 90, trigger="watch"),
        moved(empty_server(), 95, trigger="heal"),
        moved(placeholders(), 96, trigger="watch"),
    ]
    counted = unwatched_heals(history, now)
    assert counted
    assert set(counted.values()) == {2}, "an hour ago, by a person's word, and what was escalated do not count"
    assert unwatched_heals(history, "2030-01-01T00:00:00.000Z") == {}


def test_dry_runs_and_runs_that_found_nothing_are_not_counted() -> None:
    ledger = ledger_of(
        "local",
        [
            moved(lock_file(), 0, dry_run=True),
            moved(lock_file(), 1, ending="planned"),
            moved(lock_file(), 2, ending="healthy"),
        ],
    )
    assert (ledger.incidents, ledger.heal_rate, ledger.mttr_s, ledger.mttd_s) == (0, None, None, None)
    assert summary_of_ledger(ledger) == "No incident so far."


@pytest.mark.parametrize(("minutes", "doubted"), [(1, 1), (60, 1), (61, 0), (600, 0)])
def test_a_heal_whose_fault_is_back_within_an_hour_is_doubted(minutes: float, doubted: int) -> None:
    first = moved(lock_file(), 0, repair_s=30.0)
    again = moved(lock_file(), minutes, detection_s=0.5, ending="escalated")
    ledger = ledger_of("local", [again, first])
    assert len(ledger.suspects) == doubted
    for suspect in ledger.suspects:
        assert suspect.id == first.id
        assert suspect.again == again.id
        assert suspect.fingerprint == "LOCK_FILE_MISSING:tds_admin_dashboard"


def test_another_fault_within_the_hour_doubts_nothing() -> None:
    assert ledger_of("local", [moved(lock_file(), 0), moved(empty_server(), 10)]).suspects == ()


def test_the_same_cause_of_another_subject_doubts_nothing() -> None:
    attempt = lock_file().attempts[0]
    assert attempt.match is not None
    other = dataclasses.replace(attempt, match=dataclasses.replace(attempt.match, subject="neurolink"))
    assert ledger_of("local", [moved(lock_file(), 0), moved(lock_file(), 10, attempts=(other,))]).suspects == ()


def test_a_fault_that_comes_back_twice_doubts_each_heal_once() -> None:
    ledger = ledger_of("local", [moved(lock_file(), minutes) for minutes in (0, 10, 20)])
    assert [(each.id[9:15], each.again[9:15]) for each in ledger.suspects] == [
        ("080000", "081000"),
        ("081000", "082000"),
    ]
    assert summary_of_ledger(ledger) == "3 of 3 incidents healed, 2 of them doubted."


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"statements": 0}, "nothing was proved"),
        ({"failed_statements": ("http: /ready",)}, "1 of 81 statements did not hold"),
    ],
)
def test_a_heal_without_a_whole_proof_is_doubted(fields: dict[str, Any], why: str) -> None:
    (suspect,) = ledger_of("local", [moved(lock_file(), 0, **fields)]).suspects
    assert (suspect.why, suspect.fingerprint) == (why, "")


@given(st.lists(INCIDENTS, max_size=4))
@settings(max_examples=60, deadline=None)
def test_every_ledger_holds_to_its_schema(incidents: list[Incident]) -> None:
    document = document_of_ledger(ledger_of("local", incidents), ["a: damaged"])
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(document)))


def test_the_page_tells_it_all_and_links_to_the_reports_beside_it() -> None:
    history = [moved(lock_file(), 0), moved(lock_file(), 10), moved(placeholders(), 60 * 24)]
    shape = Shape(page_of_ledger(ledger_of("local", history), ["x/incident.json: damaged: schema"]))
    words = " ".join(shape.words)
    assert not shape.open
    assert "2 of 3 incidents healed, 1 of them doubted." in words
    assert "x/incident.json: damaged: schema" in words
    links = {value for name, value in shape.attributes if name == "href"}
    assert links == {f"{each.id}/incident.html" for each in history}
    assert [tag for tag, _ in shape.elements].count("svg") == 2
    dots = [value for name, value in shape.attributes if name == "class" and value.startswith("dot ")]
    assert len(dots) == 3 + 2


def test_an_empty_ledger_has_a_page() -> None:
    shape = Shape(page_of_ledger(ledger_of("local", [])))
    assert "No incident so far." in shape.words
    assert not shape.open


def test_a_hostile_code_stays_text_in_the_ledger() -> None:
    attempt = lock_file().attempts[0]
    assert attempt.match is not None
    cause = dataclasses.replace(attempt.match.cause, code="</code><script>x</script>\u202e")
    hostile = dataclasses.replace(attempt, match=dataclasses.replace(attempt.match, cause=cause))
    shape = Shape(page_of_ledger(ledger_of("local", [moved(lock_file(), 0, attempts=(hostile,))])))
    assert "script" not in dict(shape.elements)
    assert r"</code><script>x</script>\u202e" in shape.words


POINTS = st.tuples(
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)).map(lambda at: f"{at.isoformat()}Z"),  # noqa: DTZ001 - hypothesis wants naive bounds
    st.floats(0, 1e6),
    st.just("passed"),
    st.just("x"),
)


@given(st.lists(POINTS, max_size=20), st.lists(st.floats(0.1, 1e5), max_size=3))
def test_everything_of_a_plot_lies_inside_it(points: list[tuple[str, float, str, str]], rules: list[float]) -> None:
    plot = plot_of(points, rules=[(each, "x", "goal") for each in rules], alternative="")
    assert len(plot.dots) == len(points)
    for dot in plot.dots:
        assert LEFT <= dot.x <= RIGHT
        assert TOP <= dot.y <= BOTTOM
    for rule in (*plot.grid, *plot.rules):
        assert TOP <= rule.y <= BOTTOM
    labels = [rule.label_y for rule in plot.rules]
    assert all(later - earlier >= 12.9 for earlier, later in pairwise(labels))


def test_longer_stands_higher_and_later_stands_further_right() -> None:
    plot = plot_of(
        [("2025-01-01T00:00:00Z", 10, "passed", ""), ("2025-01-03T00:00:00Z", 100, "passed", "")],
        rules=[],
        alternative="",
    )
    early, late = plot.dots
    assert late.y < early.y
    assert late.x > early.x
    assert (plot.begins, plot.ends) == ("2025-01-01", "2025-01-03")
