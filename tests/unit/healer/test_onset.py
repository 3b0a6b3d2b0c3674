"""When a fault began, as far as the evidence can tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from healing_world import DECLARED, Fault, cause_of

from infra.healing.model import Failure, Match, Proof, Situation
from infra.healing.onset import onset_of

MATCH = Match(cause_of(Fault("SERVICE_STOPPED")), 0.9, (Proof("a", "b"),), "web")


def service(**fields: str) -> dict[str, Any]:
    return {"containers": {"services": {"web": {"state": "exited", **fields}}}}


def at(second: int, microsecond: int = 0) -> datetime:
    return datetime(2026, 11, 24, 18, 0, second, microsecond, tzinfo=UTC)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (service(finished_at="2026-11-24T18:00:05.630328006Z"), at(5, 630328)),
        (service(finished_at="2026-11-24T19:00:05+01:00"), at(5)),
        (service(finished_at="2026-11-24T18:00:05.5+00:00"), at(5, 500000)),
        (service(finished_at="0001-01-01T00:00:00Z"), None),
        (service(finished_at="yesterday"), None),
        (service(state="running", finished_at="2026-11-24T18:00:05Z"), None),
        ({"drift": [{"what": "service web is exited", "since": "2026-11-24T18:00:07Z"}]}, at(7)),
        ({"drift": [{"what": "service other is exited", "since": "2026-11-24T18:00:07Z"}]}, None),
        ({"drift": [{"what": "service web is exited", "since": None}]}, None),
        ({}, None),
    ],
)
def test_the_onset_is_told_by_the_container_or_by_the_drift_that_the_cause_is_about(
    evidence: dict[str, Any], expected: datetime | None
) -> None:
    assert onset_of(Situation(DECLARED, None, evidence), MATCH) == expected


def test_the_earliest_time_counts() -> None:
    evidence = {
        **service(finished_at="2026-11-24T18:00:05Z"),
        "drift": [{"what": "web", "since": "2026-11-24T18:00:09Z"}],
    }
    failure = Failure("health", "NOT_HEALTHY", at="2026-11-24T18:00:02.000Z")
    assert onset_of(Situation(DECLARED, failure, evidence), MATCH) == at(2)
