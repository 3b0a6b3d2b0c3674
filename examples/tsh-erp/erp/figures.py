"""Sums over transfers and positions, as the endpoints, the daily summaries and the targets need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from erp.domain.commission import cents
from erp.domain.geo import Fix
from erp.domain.periods import Period
from erp.models import GpsLocation, MoneyTransfer

# Transfers that never became money count neither as sales nor as sums.
VOID_STATUSES = ("cancelled", "rejected")


def within(column: InstrumentedAttribute[datetime], period: Period) -> ColumnElement[bool]:
    """Say that a time lies in a period, in a form that an index can serve."""
    begin = datetime.combine(period.start, time.min)
    return and_(column >= begin, column < datetime.combine(period.end, time.min) + timedelta(days=1))


def counted() -> ColumnElement[bool]:
    """Say that a transfer counts."""
    return MoneyTransfer.status.not_in(VOID_STATUSES)


@dataclass(frozen=True)
class Sales:
    """What the transfers of somebody add up to in a period."""

    orders: int
    sales_usd: Decimal
    sales_iqd: Decimal
    sent_usd: Decimal
    commission: Decimal

    @property
    def average_order(self) -> Decimal:
        """Sales in USD per transfer."""
        return cents(self.sales_usd / self.orders) if self.orders else Decimal(0)


def sales(session: Session, salesperson_id: int, period: Period) -> Sales:
    """Add up the transfers of a salesperson that count."""
    row = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(MoneyTransfer.gross_sales), 0.0),
            func.coalesce(func.sum(MoneyTransfer.gross_sales * MoneyTransfer.exchange_rate), 0.0),
            func.coalesce(func.sum(MoneyTransfer.amount_usd), 0.0),
            func.coalesce(func.sum(MoneyTransfer.calculated_commission), 0.0),
        ).where(
            MoneyTransfer.salesperson_id == salesperson_id,
            within(MoneyTransfer.transfer_datetime, period),
            counted(),
        )
    ).one()
    orders, usd, iqd, sent, commission = row
    return Sales(orders, cents(usd), cents(iqd), cents(sent), cents(commission))


def locations(session: Session, salesperson_id: int, period: Period) -> Sequence[GpsLocation]:
    """Return the positions of a salesperson in the order in which they were there."""
    return session.scalars(
        select(GpsLocation)
        .where(GpsLocation.salesperson_id == salesperson_id, within(GpsLocation.timestamp, period))
        .order_by(GpsLocation.timestamp, GpsLocation.id)
    ).all()


def fixes(points: Sequence[GpsLocation]) -> list[Fix]:
    """Turn rows into the points of a way."""
    return [Fix(float(point.latitude), float(point.longitude), point.timestamp) for point in points]


def customers_visited(session: Session, salesperson_id: int, period: Period) -> int:
    """Count the different customers that were visited."""
    query = select(func.count(GpsLocation.customer_id.distinct())).where(
        GpsLocation.salesperson_id == salesperson_id,
        GpsLocation.is_customer_visit.is_(True),
        within(GpsLocation.timestamp, period),
    )
    return session.scalar(query) or 0


def one_day(day: date) -> Period:
    """Return the period that is this day."""
    return Period(day, day)
