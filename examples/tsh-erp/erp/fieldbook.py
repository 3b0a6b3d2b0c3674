"""Keeps the daily summaries and the targets true: called whenever a position or a transfer was added or changed."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from erp import figures
from erp.domain import targets
from erp.domain.commission import cents
from erp.domain.geo import duration_hours, way_length_km
from erp.domain.periods import Period
from erp.models import DailySummary, Target
from tshkit.database import utcnow


def update(session: Session, salesperson_id: int, days: Iterable[date]) -> None:
    """Compute the summaries of these days, and the targets that cover them, anew."""
    session.flush()
    # Two requests for one salesperson would each miss what the other is about to commit.
    session.execute(text("SELECT pg_advisory_xact_lock(2250003, :who)"), {"who": salesperson_id})
    touched = sorted(set(days))
    for day in touched:
        _write_summary(session, salesperson_id, day)
    if touched:
        covering = select(Target).where(
            Target.salesperson_id == salesperson_id,
            Target.is_active.is_(True),
            Target.period_start <= touched[-1],
            Target.period_end >= touched[0],
        )
        for target in session.scalars(covering):
            measure(session, target)


def day_figures(session: Session, salesperson_id: int, day: date) -> dict[str, Any]:
    """Work out one day of a salesperson, by the columns of its summary."""
    period = figures.one_day(day)
    points = figures.locations(session, salesperson_id, period)
    way = figures.fixes(points)
    sold = figures.sales(session, salesperson_id, period)
    visits = [point for point in points if point.is_customer_visit]
    return {
        "total_sales_iqd": sold.sales_iqd,
        "total_sales_usd": sold.sales_usd,
        "total_orders": sold.orders,
        "total_customers_visited": len({visit.customer_id for visit in visits if visit.customer_id}),
        "avg_order_value": sold.average_order,
        "daily_commission": sold.commission,
        "total_distance_km": cents(way_length_km(way)),
        "total_time_hours": cents(duration_hours(way)),
        "gps_points_count": len(points),
        "customer_visits": len(visits),
        "verified_visits": sum(bool(visit.visit_verified) for visit in visits),
        "transfers_made": sold.orders,
        "total_transferred_usd": sold.sent_usd,
    }


def _write_summary(session: Session, salesperson_id: int, day: date) -> None:
    values = day_figures(session, salesperson_id, day)
    better = select(func.count()).where(
        DailySummary.summary_date == day,
        DailySummary.salesperson_id != salesperson_id,
        DailySummary.total_sales_usd > values["total_sales_usd"],
    )
    values |= {"daily_rank": 1 + (session.scalar(better) or 0), "calculated_at": utcnow()}
    statement = insert(DailySummary).values(salesperson_id=salesperson_id, summary_date=day, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["salesperson_id", "summary_date"], set_=values))


def measure(session: Session, target: Target) -> None:
    """Bring a target's progress up to date."""
    period = Period(target.period_start, target.period_end)
    sold = figures.sales(session, target.salesperson_id, period)
    achieved = targets.Achieved(
        revenue_iqd=sold.sales_iqd,
        revenue_usd=sold.sales_usd,
        orders=sold.orders,
        customers=figures.customers_visited(session, target.salesperson_id, period),
    )
    goals = targets.Goals(
        target.target_revenue_iqd, target.target_revenue_usd, target.target_orders, target.target_customers
    )
    progress = targets.progress(goals, achieved)
    target.achieved_revenue_iqd, target.achieved_revenue_usd = achieved.revenue_iqd, achieved.revenue_usd
    target.achieved_orders, target.achieved_customers = achieved.orders, achieved.customers
    target.revenue_progress_percentage = progress.revenue
    target.orders_progress_percentage = progress.orders
    target.customers_progress_percentage = progress.customers
    target.overall_progress_percentage = progress.overall
    if progress.is_complete and not target.is_achieved:
        target.achievement_date = utcnow().date()
    if not progress.is_complete:
        target.achievement_date = None
    target.is_achieved = progress.is_complete
    if target.bonus_enabled and target.bonus_percentage is not None:
        earned = achieved.revenue_usd * target.bonus_percentage / 100 if progress.is_complete else Decimal(0)
        target.bonus_amount = cents(earned)
