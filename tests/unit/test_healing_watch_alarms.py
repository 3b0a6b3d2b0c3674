"""When a look is an alarm, and when it is none: on a clock that only the tests move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from looks import HARD, SOFT, WALL, container, look

from infra.healing.detector import Detector, Look, Sign, signs_of
from infra.healing.watch import failure_of

if TYPE_CHECKING:
    from infra.healing.detector import Alarm


def watcher() -> Detector:
    return Detector(("app", "db"))


def keys(alarm: Alarm | None) -> list[str]:
    return [each.key for each in alarm.signs] if alarm else []


@pytest.mark.parametrize(("key", "fault"), HARD)
def test_a_hard_fact_is_believed_at_once(key: str, fault: dict[str, Any]) -> None:
    detector = watcher()
    assert detector.observe(look(0.0)).alarm is None

    assert key in keys(detector.observe(look(5.0, **fault)).alarm)


@pytest.mark.parametrize(("key", "fault"), SOFT)
def test_a_soft_one_only_when_it_is_seen_twice_running(key: str, fault: dict[str, Any]) -> None:
    detector = watcher()
    first = detector.observe(look(0.0, **fault))
    assert first.alarm is None
    assert first.suspicious, "the next look must not wait"
    assert detector.observe(look(1.0)).alarm is None
    assert detector.observe(look(2.0, **fault)).alarm is None

    assert keys(detector.observe(look(3.0, **fault)).alarm) == [key]


def test_a_deployment_is_no_alarm_and_what_was_seen_before_it_no_longer_counts() -> None:
    detector = watcher()
    detector.observe(look(0.0, answers={"/health": 502}))

    assert detector.observe(Look(1.0, WALL, busy="a deployment runs")).lines[0].startswith("a deployment runs;")
    assert detector.observe(Look(2.0, WALL, busy="1 lock")).lines == ()
    assert detector.observe(look(3.0, answers={"/health": 502})).alarm is None


def test_a_service_that_starts_excuses_the_paths_behind_it_but_not_for_ever() -> None:
    detector = watcher()
    starting: dict[str, Any] = {"app": container(health="starting"), "answers": {"/health": 502}}
    for at in range(0, 180, 5):
        assert detector.observe(look(float(at), **starting)).alarm is None

    assert "service app" in keys(detector.observe(look(180.0, **starting)).alarm)


def test_a_network_that_is_gone_here_is_nobody_s_fault() -> None:
    detector = watcher()
    detector.observe(look(0.0))
    gone = Look(5.0, WALL, unreachable="no route", offline=True)

    assert detector.observe(gone).lines == ("this machine has no network; nothing counts until it has",)
    assert [detector.observe(gone) for _ in range(10)][-1].lines == ()
    assert detector.observe(look(60.0)).lines == ("watching",)


def test_what_was_handed_over_is_quiet_for_a_while_then_told_again_and_anew_after_it_was_well() -> None:
    detector = watcher()
    fault: dict[str, Any] = {"app": container(state="exited")}
    alarm = detector.observe(look(0.0, **fault)).alarm
    assert alarm is not None
    detector.handed_over(alarm, 0.0)

    assert [at for at in range(1, 300) if keys(handing(detector, look(float(at), **fault)))] == [60, 180]
    detector.observe(look(301.0))
    assert keys(detector.observe(look(302.0, **fault)).alarm) == ["service app"]


def handing(detector: Detector, seen: Look) -> Alarm | None:
    alarm = detector.observe(seen).alarm
    if alarm:
        detector.handed_over(alarm, seen.at)
    return alarm


def test_each_change_is_one_line_however_often_it_is_seen() -> None:
    detector = watcher()
    lines = [line for at in range(20) for line in detector.observe(look(float(at), answers={"/health": 502})).lines]
    lines += detector.observe(look(20.0)).lines

    assert lines.count("/health answers 502") == 1
    assert lines[-1] == "over: /health answers 502"


@given(st.lists(st.sampled_from([None, *(fault for _, fault in [*HARD, *SOFT])]), max_size=20))
def test_whatever_is_seen_a_stack_that_is_well_twice_has_no_alarm_and_no_sign(faults: list[Any]) -> None:
    detector = watcher()
    for at, fault in enumerate(faults):
        handing(detector, look(float(at), **(fault or {})))

    change = [detector.observe(look(1000.0 + at)) for at in range(2)][-1]

    assert change.alarm is None
    assert not change.suspicious
    assert list(signs_of(look(), ("app", "db"))) == []


def test_the_failure_is_of_the_earliest_stage_and_began_when_the_host_says_so() -> None:
    detector = watcher()
    since = "2026-11-24T17:59:55Z"
    units = {"docker.service": {"active": "failed", "since": since}, "caddy.service": {"active": "active"}}
    alarm = detector.observe(look(answers={"/health": 0}, units=units)).alarm
    assert alarm is not None

    failure = failure_of(alarm)

    assert (failure.stage, failure.code, failure.resource) == ("bootstrap", "NOT_HEALTHY", "unit docker.service")
    assert failure.at == since.replace("Z", "+00:00").replace("+00:00", "Z")
    old = Sign("service app", "x", "compose", hard=True, since="2026-11-20T00:00:00Z")
    assert failure_of(type(alarm)((old,), WALL)).at == WALL, "that long ago it was another fault"
