"""Which logged errors count: a log remembers for long, and whoever sends a request can have an error written into it.

An error explains why a service is ill where it was logged a short while ago, or about when the service last started or
ended. Of a service that is well only a fresh one counts, and only while requests are answered that the server failed.
"""

from __future__ import annotations

__all__ = ["explaining", "failing", "fresh", "of_failing_requests", "of_ill_services"]

import re
from typing import TYPE_CHECKING, Any

from infra.healing.causes.containers import FRESH_S, is_ill
from infra.healing.matching import entries, listed, lookup, number, section, services, the_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_FAILED = re.compile(r"([A-Z]{3,7} \S{1,400}) answered (500|501|503)\b")


def explaining(situation: Situation, service: str) -> list[Mapping[str, Any]]:
    """Return the errors that can explain why a service is ill, each before what was raised because of it."""
    own = services(situation).get(service, {})
    turns = (0.0, number(own.get("age_s")), number(own.get("ended_age_s")))
    return _with_causes(
        error
        for error in _logged(situation, service)
        if any(abs(number(error.get("age_s")) - turn) <= FRESH_S for turn in turns)
    )


def fresh(situation: Situation, service: str) -> list[Mapping[str, Any]]:
    """Return the errors that a service logged a short while ago, each before what was raised because of it."""
    return _with_causes(error for error in _logged(situation, service) if number(error.get("age_s")) <= FRESH_S)


def of_ill_services(situation: Situation, *, starting: bool = False) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (service, error) of what explains why services are ill, or with `starting` why they are not up yet."""
    for name, each in services(situation).items():
        if is_ill(situation, name) or (starting and each.get("health") == "starting"):
            yield from ((name, error) for error in explaining(situation, name))


def of_failing_requests(situation: Situation) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (service, error) of what was logged a short while ago, where requests fail for it."""
    if failing(situation):
        for name in services(situation):
            yield from ((name, error) for error in fresh(situation, name))


def failing(situation: Situation) -> list[tuple[str, str, str]]:
    """Return (request, status, the sentence that says so) of each that was answered that the server failed."""
    told = [each.reason[:1000] for each in situation.statements]
    public = entries(lookup(section(situation, "http"), "public"))
    told += [f"GET {path} answered {answer.get('status')}" for path, answer in public]
    return [(found[1], found[2], reason) for reason in told if (found := _FAILED.match(reason))]


def _logged(situation: Situation, service: str) -> list[Mapping[str, Any]]:
    """Return the first error since the service's start, and the last ones."""
    own = services(situation).get(service, {})
    return [error for error in (the_error(situation, service), *listed(own.get("recent"))) if error]


def _with_causes(errors: Iterator[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [each for error in errors for each in (error, *listed(error.get("then")))]
