"""The waivers themselves: each names a check and a service that there is, and ends on a day that is not over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

    from infra.ops.verify import Exemption

GROUP = "waivers"


def test_names_what_there_is(facts: dict[str, Any], known: set[str], waiver: Exemption) -> None:
    assert waiver.check in known, f"there is no check {waiver.check}"
    services = {each["service"] for each in facts["containers"].values()}
    assert not waiver.service or waiver.service in services, f"there is no service {waiver.service}"


def test_has_not_expired(today: date, waiver: Exemption) -> None:
    assert waiver.until >= today, f"it expired on {waiver.until}: {waiver.reason}"
