"""Every cause: what proves it, in the tools' own words, and what nearly does and must not."""

from __future__ import annotations

import cases_host
import cases_release
import cases_services
import cases_visible
import pytest
from situations import matches, root

from infra.healing.causes import CAUSES
from infra.healing.model import Verdict

CASES = (*cases_host.CASES, *cases_release.CASES, *cases_services.CASES, *cases_visible.CASES)
each_case = pytest.mark.parametrize("case", CASES, ids=str)


@each_case
def test_is_proved(case: cases_host.Case) -> None:
    found = matches(case.code, case.proves)
    assert found, "not found"
    assert all(match.proof for match in found)
    assert all(0 < match.confidence <= 1 for match in found)
    if case.subject is not None:
        assert case.subject in {match.subject for match in found}


@each_case
def test_is_the_root(case: cases_host.Case) -> None:
    assert root(case.proves) == (case.root or case.code)


@each_case
def test_is_not_found_in_what_is_only_like_it(case: cases_host.Case) -> None:
    assert matches(case.code, case.near) == []


def test_every_cause_has_a_case() -> None:
    assert {each.code for each in CAUSES} == {case.code for case in CASES}


def test_what_acts_is_sure_enough_to_be_acted_on() -> None:
    acting = {each.code for each in CAUSES if each.verdict is not Verdict.ESCALATE}
    unsure = [
        str(case)
        for case in CASES
        if case.code in acting
        if max(m.confidence for m in matches(case.code, case.proves)) <= 0.5
    ]
    assert unsure == []
