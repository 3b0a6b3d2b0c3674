"""Progress towards a target: each goal that was set counts the same, and no goal counts for more than it is worth."""

from dataclasses import dataclass
from decimal import Decimal

from erp.domain.commission import cents

FULL = Decimal(100)
COLUMN_MAXIMUM = Decimal("999.99")


@dataclass(frozen=True)
class Goals:
    """What is to be reached; None where nothing was set."""

    revenue_iqd: Decimal | None = None
    revenue_usd: Decimal | None = None
    orders: int | None = None
    customers: int | None = None


@dataclass(frozen=True)
class Achieved:
    """What has been reached so far."""

    revenue_iqd: Decimal
    revenue_usd: Decimal
    orders: int
    customers: int


@dataclass(frozen=True)
class Progress:
    """Percentages; 0 where nothing was set."""

    revenue: Decimal
    orders: Decimal
    customers: Decimal
    overall: Decimal

    @property
    def is_complete(self) -> bool:
        """Whether every goal has been reached."""
        return self.overall >= FULL


def _percent(achieved: Decimal | int, goal: Decimal | int | None) -> Decimal | None:
    if not goal:
        return None
    return min(cents(Decimal(achieved) * 100 / Decimal(goal)), COLUMN_MAXIMUM)


def progress(goals: Goals, achieved: Achieved) -> Progress:
    """Compare what was reached with the goals; of two revenue goals the USD one is shown."""
    revenue_usd = _percent(achieved.revenue_usd, goals.revenue_usd)
    revenue = _percent(achieved.revenue_iqd, goals.revenue_iqd) if revenue_usd is None else revenue_usd
    orders = _percent(achieved.orders, goals.orders)
    customers = _percent(achieved.customers, goals.customers)
    counted = [min(percent, FULL) for percent in (revenue, orders, customers) if percent is not None]
    overall = cents(sum(counted, Decimal(0)) / len(counted)) if counted else Decimal(0)
    return Progress(revenue or Decimal(0), orders or Decimal(0), customers or Decimal(0), overall)
