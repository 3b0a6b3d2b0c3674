"""Transfers: what becomes of them. Managers verify, receive and reject; salespeople may cancel what is still pending.

A verified transfer earns its salesperson a commission; one that is rejected afterwards takes it back, unless its payout
was already asked for.
"""

from typing import get_args
from uuid import uuid4

from fastapi import APIRouter, HTTPException, status
from sqlalchemy import select
from sqlalchemy.orm import Session

from erp import fieldbook
from erp.access import CurrentManager, CurrentUser, forbidden
from erp.bff import transfer_schemas as shapes
from erp.bff.common import PREFIX
from erp.bff.transfers import TransferId, add_note, find
from erp.domain.commission import RATE_PERCENT, cents, commission
from erp.models import Commission, MoneyTransfer, User
from tshkit.database import utcnow
from tshkit.sessions import Database

TRANSITIONS: dict[str, frozenset[str]] = {
    "pending": frozenset({"verified", "rejected", "cancelled"}),
    "verified": frozenset({"received", "rejected"}),
}
FINAL = frozenset(get_args(shapes.Status)) - TRANSITIONS.keys()

router = APIRouter(prefix=f"{PREFIX}/transfers", tags=["transfers"])


@router.post("/{transfer_id}/verify")
def verify(
    transfer_id: TransferId, body: shapes.Verification, manager: CurrentManager, database: Database
) -> shapes.Decided:
    """Confirm a transfer and the commission that its salesperson claims on it."""
    transfer = find(database, manager, transfer_id, lock=True)
    transfer.receipt_verified = body.receipt_verified
    return _move(database, manager, transfer, "verified", body.notes)


@router.put("/{transfer_id}/status")
def change_status(
    transfer_id: TransferId, body: shapes.StatusChange, user: CurrentUser, database: Database
) -> shapes.Decided:
    """Move a transfer on; 409 when it can't go there from where it is."""
    transfer = find(database, user, transfer_id, lock=True)
    if not user.is_manager and body.status != "cancelled":
        raise forbidden("Only managers may do this")
    return _move(database, user, transfer, body.status, body.notes)


def _move(database: Session, user: User, transfer: MoneyTransfer, wanted: str, note: str | None) -> shapes.Decided:
    now = transfer.status or "pending"
    if wanted not in TRANSITIONS.get(now, frozenset()):
        detail = f"Transfer is {now}" + (" for good" if now in FINAL else f" and can't become {wanted}")
        raise HTTPException(status.HTTP_409_CONFLICT, detail)
    transfer.status = wanted
    earned = database.scalar(select(Commission).where(Commission.transfer_id == transfer.id))
    match wanted:
        case "verified":
            transfer.commission_verified, transfer.manager_approval_required = True, False
            earned = earned or _earn(database, user, transfer)
        case "received":
            transfer.money_received, transfer.received_datetime = True, utcnow()
        case _:
            transfer.commission_verified = False
            earned = _take_back(database, earned)
    if note:
        add_note(database, user, transfer.id, note)
    fieldbook.update(database, transfer.salesperson_id, [transfer.transfer_datetime.date()])
    shown = shapes.Transfer.model_validate(transfer).model_dump()
    return shapes.Decided(**shown, commission_id=None if earned is None else earned.id)


def _earn(database: Session, user: User, transfer: MoneyTransfer) -> Commission:
    day, sold = transfer.transfer_datetime.date(), cents(transfer.gross_sales)
    earned = Commission(
        commission_uuid=str(uuid4()),
        salesperson_id=transfer.salesperson_id,
        salesperson_name=transfer.salesperson_name,
        period_type="daily",
        period_start=day,
        period_end=day,
        total_sales_amount=sold,
        commission_rate=RATE_PERCENT,
        calculated_commission=commission(sold),
        total_orders=1,
        avg_order_value=sold,
        status="calculated",
        transfer_id=transfer.id,
        calculated_by=user.id,
        calculated_at=utcnow(),
    )
    database.add(earned)
    database.flush()
    return earned


def _take_back(database: Session, earned: Commission | None) -> None:
    if earned is None:
        return
    if earned.is_paid or earned.payment_reference:
        raise HTTPException(status.HTTP_409_CONFLICT, "The payout of its commission was already asked for")
    database.delete(earned)
