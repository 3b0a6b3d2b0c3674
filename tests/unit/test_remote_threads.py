"""The same for many, side by side: order, bounds and failures."""

from __future__ import annotations

import threading
import time

import pytest

from infra.transport.remote.threads import side_by_side


def test_results_come_in_the_order_of_the_items() -> None:
    delays = [0.03, 0.0, 0.02, 0.01]
    assert side_by_side(lambda each: (time.sleep(each), each)[1], delays, at_once=4) == delays
    assert side_by_side(str, [], at_once=4) == []
    assert side_by_side(str, [None, 1], at_once=1) == ["None", "1"]


def test_no_more_are_under_way_than_asked_for() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1

    side_by_side(work, list(range(12)), at_once=3)
    assert most == 3


def test_the_first_failure_is_raised_when_all_have_ended() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        time.sleep(0.02 * (3 - number))
        if number in (1, 2):
            raise ValueError(number)
        done.append(number)

    with pytest.raises(ValueError, match="1"):
        side_by_side(work, [0, 1, 2, 3], at_once=4)
    assert sorted(done) == [0, 3]
