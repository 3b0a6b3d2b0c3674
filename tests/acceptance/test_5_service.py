"""The application through its public name, TLS verified: health, login, every endpoint with a token, the checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from infra.ops.contract import Check, Request
    from infra.ops.proof import Subject

GROUP = "service"


def test_answers(stack: Subject, health: Request) -> None:
    stack.ask(health)


def test_the_certificate_is_valid_for_the_name(stack: Subject) -> None:
    answer = stack.public.request("GET", stack.contract.health[0].path)
    assert answer.status < 500, f"answered {answer.status}"


def test_the_administrator_logs_in(stack: Subject) -> None:
    if stack.contract.login is None:
        pytest.skip("the contract has no login")
    assert stack.token, "the answer holds no token"


def test_answers_with_a_token(stack: Subject, endpoint: Request) -> None:
    stack.ask(endpoint)


def test_holds(stack: Subject, check: Check) -> None:
    for step in check.steps:
        stack.ask(step)
