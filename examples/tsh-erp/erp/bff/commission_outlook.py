"""Commissions over time and among colleagues: analytics, leaderboard, tiers, forecast."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import func, select

from erp import figures
from erp.access import CurrentUser, whose
from erp.bff import commission_schemas as shapes
from erp.bff.common import PREFIX, SalespersonId
from erp.domain import ranking
from erp.domain.commission import TIERS, cents, commission, tier_of
from erp.domain.periods import Name, months_back, period
from erp.models import MoneyTransfer, User
from tshkit.database import utcnow
from tshkit.sessions import Database

router = APIRouter(prefix=f"{PREFIX}/commissions", tags=["commissions"])


@router.get("/analytics")
def analytics(
    user: CurrentUser,
    database: Database,
    salesperson_id: SalespersonId = None,
    months: Annotated[int, Query(ge=1, le=24)] = 6,
) -> shapes.Analytics:
    """Show the development of the last months."""
    owner = whose(database, user, salesperson_id)
    shown: list[shapes.MonthFigures] = []
    for span in months_back(utcnow().date(), months):
        sold = figures.sales(database, owner.id, span)
        shown.append(
            shapes.MonthFigures(
                month=f"{span.start:%Y-%m}",
                total_sales=sold.sales_usd,
                total_orders=sold.orders,
                total_commission=sold.commission,
            )
        )
    total = sum((month.total_commission for month in shown), Decimal(0))
    best = max(shown, key=lambda month: month.total_commission)
    return shapes.Analytics(
        salesperson_id=owner.id,
        months=shown,
        best_month=best.month if best.total_commission else None,
        average_commission=cents(total / len(shown)),
    )


@router.get("/leaderboard")
def leaderboard(
    user: CurrentUser,
    database: Database,
    period_name: Annotated[Name, Query(alias="period")] = "month",
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> shapes.Leaderboard:
    """Show who sold most, to everybody."""
    span = period(period_name, utcnow().date())
    rows = database.execute(
        select(User.id, User.name, func.sum(MoneyTransfer.gross_sales), func.count())
        .join(MoneyTransfer, MoneyTransfer.salesperson_id == User.id)
        .where(figures.within(MoneyTransfer.transfer_datetime, span), figures.counted())
        .group_by(User.id, User.name)
    )
    places = ranking.rank(ranking.Standing(who, name, cents(sold), orders) for who, name, sold, orders in rows)
    return shapes.Leaderboard(
        period=period_name,
        period_start=span.start,
        period_end=span.end,
        leaderboard=[_entry(place) for place in places[:limit]],
        total_participants=len(places),
        my_rank=next((place.rank for place in places if place.standing.salesperson_id == user.id), None),
    )


def _entry(place: ranking.Place) -> shapes.LeaderboardEntry:
    return shapes.LeaderboardEntry(
        rank=place.rank,
        badge=place.badge,
        total_commission=commission(place.standing.total_sales),
        **vars(place.standing),
    )


@router.get("/tiers")
def tiers(user: CurrentUser, database: Database) -> shapes.Tiers:
    """Show the levels of monthly sales and the asker's own."""
    sold = figures.sales(database, user.id, period("month", utcnow().date()))
    tier, missing = tier_of(sold.sales_usd)
    return shapes.Tiers(
        tiers=[shapes.Tier.model_validate(one) for one in TIERS],
        current_tier=tier.name,
        monthly_sales=sold.sales_usd,
        missing_to_next=missing,
    )


@router.get("/forecast")
def forecast(user: CurrentUser, database: Database, salesperson_id: SalespersonId = None) -> shapes.Forecast:
    """Project the sales of this month so far to its end."""
    owner, today = whose(database, user, salesperson_id), utcnow().date()
    span = period("month", today)
    sold = figures.sales(database, owner.id, span)
    elapsed = (today - span.start).days + 1
    projected = cents(sold.sales_usd / elapsed * span.days)
    return shapes.Forecast(
        salesperson_id=owner.id,
        period_start=span.start,
        period_end=span.end,
        days_elapsed=elapsed,
        days_in_period=span.days,
        sales_to_date=sold.sales_usd,
        projected_sales=projected,
        projected_commission=commission(projected),
    )
