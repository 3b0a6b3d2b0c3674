"""Commissions: what was earned, what a sale would bring, and asking for the money."""

from decimal import Decimal
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Query, status
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from erp import __version__, exports, figures
from erp.access import AppSettings, CurrentUser, forbidden, not_found, only_own, whose
from erp.bff import commission_schemas as shapes
from erp.bff.common import PREFIX, Limit, Offset, SalespersonId, ServiceHealth, dates
from erp.domain.commission import RATE_PERCENT, calculate, payout_date
from erp.domain.periods import Name, Period, period
from erp.models import Commission, User
from tshkit.database import utcnow
from tshkit.sessions import Database

EXPORT_COLUMNS = (
    "id",
    "commission_uuid",
    "salesperson_id",
    "salesperson_name",
    "period_start",
    "period_end",
    "total_sales_amount",
    "commission_rate",
    "calculated_commission",
    "approved_commission",
    "status",
    "is_paid",
    "payment_method",
    "payment_reference",
    "transfer_id",
)
UNPAID = ("pending", "calculated", "approved")
PeriodName = Annotated[Name, Query(alias="period")]

router = APIRouter(prefix=f"{PREFIX}/commissions", tags=["commissions"])


def _of(owner: int | None, span: Period | None = None) -> list[ColumnElement[bool]]:
    wanted = [] if owner is None else [Commission.salesperson_id == owner]
    return wanted if span is None else [*wanted, Commission.period_start.between(*span)]


def _page(database: Session, wanted: list[ColumnElement[bool]], limit: int, offset: int) -> shapes.CommissionList:
    newest = (Commission.period_start.desc(), Commission.id.desc())
    rows = database.scalars(select(Commission).where(*wanted).order_by(*newest).limit(limit).offset(offset))
    total, amount = database.execute(
        select(func.count(), func.coalesce(func.sum(Commission.calculated_commission), Decimal("0.00"))).where(*wanted)
    ).one()
    shown = [shapes.Commission.model_validate(row) for row in rows]
    return shapes.CommissionList(commissions=shown, total=total, total_amount=amount, limit=limit, offset=offset)


@router.get("/health")
def health() -> ServiceHealth:
    """Say that commissions are served."""
    return ServiceHealth(service="commissions-bff", version=__version__)


@router.get("/summary")
def summary(
    user: CurrentUser, database: Database, salesperson_id: SalespersonId = None, period_name: PeriodName = "month"
) -> shapes.Summary:
    """Sum up a period: sales and commission of all transfers, and what of it is verified and unpaid, or paid."""
    owner, span = whose(database, user, salesperson_id), period(period_name, utcnow().date())
    sold = figures.sales(database, owner.id, span)
    due = func.coalesce(
        func.sum(Commission.calculated_commission).filter(Commission.is_paid.is_not(True)), Decimal("0.00")
    )
    paid = func.coalesce(
        func.sum(Commission.calculated_commission).filter(Commission.is_paid.is_(True)), Decimal("0.00")
    )
    pending_amount, paid_amount = database.execute(select(due, paid).where(*_of(owner.id, span))).one()
    return shapes.Summary(
        salesperson_id=owner.id,
        period=period_name,
        period_start=span.start,
        period_end=span.end,
        commission_rate=RATE_PERCENT,
        total_sales=sold.sales_usd,
        total_orders=sold.orders,
        total_commission=sold.commission,
        pending_commission=pending_amount,
        paid_commission=paid_amount,
    )


@router.get("/pending")
def pending(
    user: CurrentUser, database: Database, salesperson_id: SalespersonId = None, limit: Limit = 100, offset: Offset = 0
) -> shapes.CommissionList:
    """List what was earned and is not paid."""
    owner = whose(database, user, salesperson_id)
    wanted = [*_of(owner.id), Commission.is_paid.is_not(True), Commission.status.in_(UNPAID)]
    return _page(database, wanted, limit, offset)


@router.get("/history")
def history(
    user: CurrentUser,
    database: Database,
    salesperson_id: SalespersonId = None,
    state: Annotated[shapes.Status | None, Query(alias="status")] = None,
    period_name: PeriodName = "all",
    limit: Limit = 100,
    offset: Offset = 0,
) -> shapes.CommissionList:
    """List what was earned, paid or not."""
    owner = whose(database, user, salesperson_id)
    wanted = _of(owner.id, period(period_name, utcnow().date()))
    if state is not None:
        wanted.append(Commission.status == state)
    return _page(database, wanted, limit, offset)


@router.get("/calculate")
def calculate_commission(
    _user: CurrentUser,
    sales_amount: Annotated[Decimal, Query(gt=0, le=1_000_000_000)],
    commission_rate: Annotated[Decimal, Query(ge=0, le=100)] = RATE_PERCENT,
) -> shapes.Calculation:
    """Work out what a sale would bring."""
    result = calculate(sales_amount, commission_rate)
    return shapes.Calculation(**vars(result), estimated_payout=result.commission_amount)


@router.post("/payout-request")
def request_payout(order: shapes.PayoutRequest, user: CurrentUser, database: Database) -> shapes.Payout:
    """Ask for commissions to be paid out, each of them once: 409 when one was asked for or paid before."""
    ids = sorted(set(order.commission_ids))
    rows = database.scalars(
        select(Commission).where(Commission.id.in_(ids)).order_by(Commission.id).with_for_update()
    ).all()
    if missing := sorted(set(ids) - {row.id for row in rows}):
        raise not_found(f"Commission {missing[0]}")
    if not user.is_manager and any(row.salesperson_id != user.id for row in rows):
        raise forbidden("You may ask only for your own commissions")
    if taken := [row.id for row in rows if row.is_paid or row.payment_reference]:
        raise HTTPException(status.HTTP_409_CONFLICT, f"Already paid or asked for: {taken}")
    request_id = f"PAY-{uuid4().hex[:12].upper()}"
    for row in rows:
        row.payment_reference, row.payment_method = request_id, order.payment_method
        row.notes = order.notes or row.notes
    return shapes.Payout(
        request_id=request_id,
        total_amount=sum((row.calculated_commission for row in rows), Decimal(0)),
        commission_count=len(rows),
        estimated_payment_date=payout_date(utcnow().date()),
    )


@router.post("/export")
def export(order: shapes.ExportOrder, user: CurrentUser, database: Database, settings: AppSettings) -> exports.Export:
    """Write commissions into a CSV file."""
    owner = _owner(database, user, order.salesperson_id)
    wanted = _of(owner, dates(order.start_date, order.end_date, period("all", utcnow().date())))
    if order.status is not None:
        wanted.append(Commission.status == order.status)
    rows = database.scalars(select(Commission).where(*wanted).order_by(Commission.id))
    return exports.write(settings.upload_directory, "commissions", owner, EXPORT_COLUMNS, rows)


def _owner(database: Session, user: User, salesperson_id: int | None) -> int | None:
    return only_own(user) if salesperson_id is None else whose(database, user, salesperson_id).id
