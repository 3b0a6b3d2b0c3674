"""Retries on a simulated clock: they never make an outage worse, and many clients don't come back in step."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.provider.api import Refusal, RefusedError, Settings
from localcloud.provider.backoff import RESERVE, TRIES, Backoff, Fault, Outage
from localcloud.provider.errors import ApiError, OutcomeUnknownError, ProviderError, TransportError
from localcloud.provider.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS = 1000
SETTINGS = Settings("http://127.0.0.1:9", "token")


class Clock:
    """A clock that sleeping moves, in place of the event that cancels an operation."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.now += seconds
        return False


@dataclass
class Faulty:
    """The API's client: answers as it is told to, and counts."""

    answers: Callable[[int], Refusal | None]
    settings: Settings = SETTINGS
    outage: Outage = field(default_factory=Outage)
    sent: int = 0

    def send(self, _operation: str, _timeout_s: float, _arguments: Any) -> dict[str, Any]:
        self.sent += 1
        refusal = self.answers(self.sent)
        if refusal is not None:
            raise RefusedError(refusal)
        return {}


def refusal(status: int = 503, retry_after_s: float | None = None) -> Refusal:
    return Refusal(ApiError("tags.get", status, "error", "made up"), status, retry_after_s)


UNREACHED = Refusal(TransportError("no connection"))
LOST = Refusal(OutcomeUnknownError("no answer"))


def ask(api: Faulty, clock: Clock | None = None, timeout_s: float = 600.0) -> Clock:
    clock = clock or Clock()
    session = Session(api, timeout_s, clock, clock)  # type: ignore[arg-type] - an event, as far as it is asked
    session.read("tags.get")
    return clock


@pytest.mark.parametrize("fault", [refusal(500), refusal(503), refusal(429), refusal(429, 7.0), UNREACHED, LOST])
def test_at_full_failure_all_calls_together_are_sent_at_most_a_tenth_more_often(fault: Refusal) -> None:
    api = Faulty(lambda _sent: fault)
    for _ in range(CLIENTS):
        with pytest.raises(ProviderError):
            ask(api)
    assert CLIENTS <= api.sent <= 1.1 * CLIENTS


def test_a_handful_of_calls_at_full_failure_are_retried_ten_times_together_at_most() -> None:
    api = Faulty(lambda _sent: refusal())
    for _ in range(8):
        with pytest.raises(ProviderError):
            ask(api)
    assert api.sent == 8 + RESERVE


@pytest.mark.parametrize("fault", [refusal(500), refusal(429), UNREACHED, LOST])
def test_one_call_is_tried_three_times_at_most_whatever_the_configuration_says(fault: Refusal) -> None:
    api = Faulty(lambda _sent: fault, settings=Settings("http://127.0.0.1:9", "token", retries=9))
    with pytest.raises(ProviderError):
        ask(api)
    assert api.sent == TRIES


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 501])
def test_what_the_next_try_would_meet_as_well_is_not_tried_again(status: int) -> None:
    api = Faulty(lambda _sent: refusal(status))
    with pytest.raises(ProviderError):
        ask(api)
    assert api.sent == 1


def test_an_answer_ends_the_outage_so_that_later_faults_are_retried_again() -> None:
    api = Faulty(lambda sent: None if sent % 2 == 0 else refusal())
    for _ in range(50):
        ask(api)
    assert api.sent == 100


@pytest.mark.parametrize("seconds", [1.0, 7.0, 60.0])
def test_nobody_is_asked_before_the_time_that_was_named(seconds: float) -> None:
    api = Faulty(lambda sent: refusal(429, seconds) if sent < TRIES else None)
    clock = ask(api)
    assert len(clock.slept) == TRIES - 1
    assert min(clock.slept) >= seconds


def test_a_pause_that_the_operation_has_no_time_for_is_not_begun() -> None:
    api = Faulty(lambda _sent: refusal(429, 30.0))
    clock = Clock()
    with pytest.raises(ProviderError):
        ask(api, clock, timeout_s=20.0)
    assert clock.now == 0.0


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("retry_after_s", [None, 7.0])
@pytest.mark.parametrize("attempt", range(TRIES - 1))
def test_a_thousand_clients_that_failed_together_come_back_spread_out(
    fault: Fault, retry_after_s: float | None, attempt: int
) -> None:
    """Of each wave of retries the fullest twentieth of its time sees at most twice the mean."""
    chance = random.Random(attempt)  # noqa: S311 - so that the test is the same each time
    backoff = Backoff(1.0, 30.0, lambda ceiling: chance.uniform(0.0, ceiling))
    pauses = [backoff.pause_s(fault, attempt, retry_after_s) for _ in range(CLIENTS)]
    first, last = min(pauses), max(pauses)
    bins = Counter(min(19, int((each - first) / (last - first) * 20)) for each in pauses)
    assert max(bins.values()) / (CLIENTS / 20) <= 2.0
    assert first >= (retry_after_s or 0.0)


def test_ceilings_grow_by_class_and_are_capped() -> None:
    backoff = Backoff(1.0, 30.0, lambda ceiling: ceiling)
    told = {fault.name: [backoff.pause_s(fault, attempt) for attempt in range(3)] for fault in Fault}
    assert told == {"UNREACHED": [1.0, 2.0, 4.0], "BROKEN": [4.0, 16.0, 30.0], "LIMITED": [10.0, 30.0, 30.0]}
