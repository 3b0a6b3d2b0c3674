"""Transfers: lists, sums and exports."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from erp import __version__, exports, figures
from erp.access import AppSettings, CurrentUser, only_own, whose
from erp.bff import transfer_schemas as shapes
from erp.bff.common import PREFIX, Limit, Offset, SalespersonId, ServiceHealth, dates
from erp.domain.commission import cents
from erp.domain.periods import Period, period
from erp.models import MoneyTransfer, User
from tshkit.database import utcnow
from tshkit.sessions import Database

EXPORT_COLUMNS = (
    "id",
    "transfer_uuid",
    "salesperson_id",
    "salesperson_name",
    "transfer_datetime",
    "amount_usd",
    "amount_iqd",
    "exchange_rate",
    "gross_sales",
    "calculated_commission",
    "claimed_commission",
    "transfer_platform",
    "platform_reference",
    "status",
    "is_suspicious",
    "fraud_alert_reason",
)
PeriodName = Annotated[Literal["today", "week", "month", "year"], Query(alias="period")]

router = APIRouter(prefix=f"{PREFIX}/transfers", tags=["transfers"])


def owner_id(database: Session, user: User, salesperson_id: int | None) -> int | None:
    """Return whose transfers are meant; None is everybody's, for managers who name nobody."""
    return only_own(user) if salesperson_id is None else whose(database, user, salesperson_id).id


def _of(owner: int | None) -> list[ColumnElement[bool]]:
    return [] if owner is None else [MoneyTransfer.salesperson_id == owner]


def _page(database: Session, wanted: list[ColumnElement[bool]], limit: int, offset: int) -> shapes.TransferList:
    newest = (MoneyTransfer.transfer_datetime.desc(), MoneyTransfer.id.desc())
    rows = database.scalars(select(MoneyTransfer).where(*wanted).order_by(*newest).limit(limit).offset(offset))
    return shapes.TransferList(
        transfers=[shapes.Transfer.model_validate(row) for row in rows],
        total=database.scalar(select(func.count()).select_from(MoneyTransfer).where(*wanted)) or 0,
        limit=limit,
        offset=offset,
    )


@router.get("/health")
def health() -> ServiceHealth:
    """Say that transfers are served."""
    return ServiceHealth(service="money-transfers-bff", version=__version__)


@router.get("/statistics")
def statistics(
    user: CurrentUser, database: Database, salesperson_id: SalespersonId = None, period_name: PeriodName = "month"
) -> shapes.Statistics:
    """Sum up a period."""
    span = period(period_name, utcnow().date())
    wanted = [
        *_of(owner_id(database, user, salesperson_id)),
        figures.within(MoneyTransfer.transfer_datetime, span),
        figures.counted(),
    ]
    state = MoneyTransfer.status
    usd, iqd, sales, earned, *counts = database.execute(
        select(
            func.coalesce(func.sum(MoneyTransfer.amount_usd), 0.0),
            func.coalesce(func.sum(MoneyTransfer.amount_iqd), 0.0),
            func.coalesce(func.sum(MoneyTransfer.gross_sales), 0.0),
            func.coalesce(func.sum(MoneyTransfer.calculated_commission), 0.0),
            func.count(),
            *(func.count().filter(state == name) for name in ("pending", "verified", "received")),
            func.count().filter(MoneyTransfer.is_suspicious.is_(True)),
        ).where(*wanted)
    ).one()
    platforms = database.execute(
        select(MoneyTransfer.transfer_platform, func.count(), func.sum(MoneyTransfer.amount_usd))
        .where(*wanted)
        .group_by(MoneyTransfer.transfer_platform)
        .order_by(MoneyTransfer.transfer_platform)
    )
    return shapes.Statistics(
        period_start=span.start,
        period_end=span.end,
        total_transfers=counts[0],
        total_amount_usd=cents(usd),
        total_amount_iqd=cents(iqd),
        total_gross_sales=cents(sales),
        total_commission=cents(earned),
        pending_transfers=counts[1],
        verified_transfers=counts[2],
        received_transfers=counts[3],
        suspicious_transfers=counts[4],
        platform_breakdown={
            name: shapes.PlatformFigures(count=count, amount_usd=cents(amount)) for name, count, amount in platforms
        },
    )


@router.get("/pending")
def pending(
    user: CurrentUser, database: Database, salesperson_id: SalespersonId = None, limit: Limit = 100, offset: Offset = 0
) -> shapes.TransferList:
    """List the transfers that wait for a manager."""
    owner = owner_id(database, user, salesperson_id)
    return _page(database, [*_of(owner), MoneyTransfer.status == "pending"], limit, offset)


@router.get("/history")
def history(
    user: CurrentUser,
    database: Database,
    salesperson_id: SalespersonId = None,
    status: shapes.Status | None = None,
    method: shapes.Platform | None = None,
    start_date: date | None = None,
    end_date: date | None = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> shapes.TransferList:
    """List transfers of any state."""
    span = dates(start_date, end_date, period("all", utcnow().date()))
    wanted = [*_of(owner_id(database, user, salesperson_id)), figures.within(MoneyTransfer.transfer_datetime, span)]
    if status is not None:
        wanted.append(MoneyTransfer.status == status)
    if method is not None:
        wanted.append(MoneyTransfer.transfer_platform == method)
    return _page(database, wanted, limit, offset)


@router.get("/summary")
def summary(user: CurrentUser, database: Database, salesperson_id: SalespersonId = None) -> shapes.Summary:
    """Show where all transfers stand, and how much money is on its way."""
    owner = owner_id(database, user, salesperson_id)
    by_status: dict[str, shapes.StatusFigures] = defaultdict(shapes.StatusFigures)
    total, earned, last = 0, Decimal(0), None
    rows = database.execute(
        select(
            MoneyTransfer.status,
            func.count(),
            func.sum(MoneyTransfer.amount_usd),
            func.sum(MoneyTransfer.calculated_commission),
            func.max(MoneyTransfer.transfer_datetime),
        )
        .where(*_of(owner))
        .group_by(MoneyTransfer.status)
    )
    for state, count, amount, commission, latest in rows:
        by_status[str(state)] = shapes.StatusFigures(count=count, amount_usd=cents(amount))
        total += count
        last = max(last or latest, latest)
        if state not in figures.VOID_STATUSES:
            earned += cents(commission)
    by_status["pending"] = by_status["pending"]
    return shapes.Summary(
        salesperson_id=owner,
        total_transfers=total,
        total_commission=earned,
        last_transfer_at=last,
        by_status=by_status,
        cash_box=_cash_box(database, owner),
    )


def _cash_box(database: Session, owner: int | None) -> shapes.CashBox:
    outstanding = [*_of(owner), MoneyTransfer.status.in_(("pending", "verified"))]
    rows = database.execute(
        select(MoneyTransfer.transfer_platform, func.sum(MoneyTransfer.amount_iqd), func.sum(MoneyTransfer.amount_usd))
        .where(*outstanding)
        .group_by(MoneyTransfer.transfer_platform)
    ).all()
    iqd = {platform: cents(amount) for platform, amount, _ in rows}
    nothing = Decimal(0)
    return shapes.CashBox(
        altaif_iqd=iqd.get("ALTaif Bank", nothing),
        zain_cash_iqd=iqd.get("ZAIN Cash", nothing),
        super_qi_iqd=iqd.get("SuperQi", nothing),
        other_iqd=iqd.get("Other", nothing),
        total_iqd=sum(iqd.values(), nothing),
        total_usd=sum((cents(amount) for _, _, amount in rows), nothing),
    )


@router.get("/analytics")
def analytics(
    user: CurrentUser,
    database: Database,
    salesperson_id: SalespersonId = None,
    days: Annotated[int, Query(ge=1, le=366)] = 30,
) -> shapes.Analytics:
    """Show the development of the last days."""
    today = utcnow().date()
    span = Period(today - timedelta(days=days - 1), today)
    day_of = func.date(MoneyTransfer.transfer_datetime)
    rows = database.execute(
        select(
            day_of,
            func.count(),
            func.sum(MoneyTransfer.amount_usd),
            func.count().filter(MoneyTransfer.is_suspicious.is_(True)),
        )
        .where(
            *_of(owner_id(database, user, salesperson_id)),
            figures.within(MoneyTransfer.transfer_datetime, span),
            figures.counted(),
        )
        .group_by(day_of)
    )
    found = {
        day: shapes.DayFigures(date=day, count=count, amount_usd=cents(amount), suspicious=suspicious)
        for day, count, amount, suspicious in rows
    }
    every = [span.start + timedelta(days=index) for index in range(days)]
    daily = [found.get(day, shapes.DayFigures(date=day, count=0, amount_usd=Decimal(0), suspicious=0)) for day in every]
    total = sum(day.count for day in daily)
    amount = sum((day.amount_usd for day in daily), Decimal(0))
    suspicious = sum(day.suspicious for day in daily)
    return shapes.Analytics(
        days=days,
        daily=daily,
        total_transfers=total,
        average_amount_usd=cents(amount / total) if total else Decimal(0),
        suspicious_rate_percent=cents(Decimal(100 * suspicious) / total) if total else Decimal(0),
        busiest_day=max(daily, key=lambda day: day.count).date if total else None,
    )


@router.post("/export")
def export(order: shapes.ExportOrder, user: CurrentUser, database: Database, settings: AppSettings) -> exports.Export:
    """Write transfers into a CSV file."""
    owner = owner_id(database, user, order.salesperson_id)
    span = dates(order.start_date, order.end_date, period("all", utcnow().date()))
    wanted = [*_of(owner), figures.within(MoneyTransfer.transfer_datetime, span)]
    if order.status is not None:
        wanted.append(MoneyTransfer.status == order.status)
    rows = database.scalars(select(MoneyTransfer).where(*wanted).order_by(MoneyTransfer.id))
    return exports.write(settings.upload_directory, "transfers", owner, EXPORT_COLUMNS, rows)
