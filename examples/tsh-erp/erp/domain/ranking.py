"""The leaderboard: by sales, then by orders, with badges for the first three."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

BADGES = ("top_performer", "runner_up", "third_place")


@dataclass(frozen=True)
class Standing:
    """What somebody sold in a period."""

    salesperson_id: int
    salesperson_name: str
    total_sales: Decimal
    total_orders: int


@dataclass(frozen=True)
class Place:
    """A standing with its rank, from 1, and its badge."""

    rank: int
    badge: str | None
    standing: Standing


def rank(standings: Iterable[Standing]) -> list[Place]:
    """Put standings in order: most sales first, then most orders, then the lower id."""
    ordered = sorted(standings, key=lambda one: (-one.total_sales, -one.total_orders, one.salesperson_id))
    return [
        Place(index + 1, BADGES[index] if index < len(BADGES) else None, standing)
        for index, standing in enumerate(ordered)
    ]
