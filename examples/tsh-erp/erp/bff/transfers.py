"""Transfers: sending money in, looking at it, remarking on it."""

from typing import Annotated

from fastapi import APIRouter, Path, status
from sqlalchemy import select
from sqlalchemy.orm import Session

from erp import fieldbook
from erp.access import CurrentUser, for_whom, forbidden, not_found
from erp.bff import transfer_schemas as shapes
from erp.bff.common import PREFIX
from erp.domain import suspicion
from erp.domain.commission import RATE_PERCENT, commission
from erp.models import MoneyTransfer, Note, User
from tshkit.database import as_utc, utcnow
from tshkit.sessions import Database

NOTE_SUBJECT = "transfer"

router = APIRouter(prefix=f"{PREFIX}/transfers", tags=["transfers"])

TransferId = Annotated[int, Path(gt=0, le=2**31 - 1)]


def find(database: Session, user: User, transfer_id: int, *, lock: bool = False) -> MoneyTransfer:
    """Return a transfer that the user may see: 404 when there is none, 403 when it is somebody else's."""
    transfer = database.get(MoneyTransfer, transfer_id, with_for_update=lock or None)
    if transfer is None:
        raise not_found("Transfer")
    if transfer.salesperson_id != user.id and not user.is_manager:
        raise forbidden("You may see only your own data")
    return transfer


def add_note(database: Session, user: User, transfer_id: int, text: str) -> Note:
    """Put another remark on a transfer."""
    note = Note(subject=NOTE_SUBJECT, subject_id=transfer_id, text=text, author_id=user.id)
    database.add(note)
    database.flush()
    return note


def _new(owner: User, new: shapes.NewTransfer) -> MoneyTransfer:
    values = new.model_dump(exclude={"transfer_uuid", "salesperson_id", "transfer_datetime"})
    at = as_utc(new.transfer_datetime) if new.transfer_datetime else utcnow()
    reasons = suspicion.reasons(
        amount_usd=new.amount_usd,
        gross_sales=new.gross_sales,
        claimed_commission=new.claimed_commission,
        has_position=new.gps_latitude is not None and new.gps_longitude is not None,
        at=at,
    )
    return MoneyTransfer(
        **values,
        transfer_uuid=str(new.transfer_uuid) if new.transfer_uuid else None,
        salesperson_id=owner.id,
        salesperson_name=owner.name,
        commission_rate=float(RATE_PERCENT),
        calculated_commission=float(commission(new.gross_sales)),
        transfer_datetime=at,
        is_suspicious=bool(reasons),
        fraud_alert_reason="; ".join(reasons) or None,
        manager_approval_required=bool(reasons),
    )


def _known(database: Session, news: list[shapes.NewTransfer]) -> dict[str, MoneyTransfer]:
    uuids = [str(new.transfer_uuid) for new in news if new.transfer_uuid]
    rows = database.scalars(select(MoneyTransfer).where(MoneyTransfer.transfer_uuid.in_(uuids))) if uuids else ()
    return {str(row.transfer_uuid): row for row in rows}


@router.post("", status_code=status.HTTP_201_CREATED)
def create(new: shapes.NewTransfer, user: CurrentUser, database: Database) -> shapes.Transfer:
    """Record a transfer; one whose UUID is known already is returned as it is."""
    owner = for_whom(database, user, new.salesperson_id)
    known = _known(database, [new]).get(str(new.transfer_uuid))
    if known is not None:
        return shapes.Transfer.model_validate(find(database, user, known.id))
    transfer = _new(owner, new)
    database.add(transfer)
    fieldbook.update(database, owner.id, [transfer.transfer_datetime.date()])
    return shapes.Transfer.model_validate(transfer)


@router.post("/bulk")
def create_bulk(bulk: shapes.Bulk, user: CurrentUser, database: Database) -> shapes.BulkOutcome:
    """Record transfers, all of them or, with an error, none; UUIDs that are known already are not recorded again."""
    known = _known(database, bulk.transfers)
    created: dict[int, list[MoneyTransfer]] = {}
    for new in bulk.transfers:
        owner = for_whom(database, user, new.salesperson_id)
        if str(new.transfer_uuid) in known:
            continue
        transfer = _new(owner, new)
        database.add(transfer)
        created.setdefault(owner.id, []).append(transfer)
        if transfer.transfer_uuid:
            known[transfer.transfer_uuid] = transfer
    for owner_id, transfers in sorted(created.items()):
        fieldbook.update(database, owner_id, {transfer.transfer_datetime.date() for transfer in transfers})
    ids = sorted(transfer.id for transfers in created.values() for transfer in transfers)
    total = len(bulk.transfers)
    return shapes.BulkOutcome(
        success=True, total=total, created=len(ids), duplicates=total - len(ids), failed=0, errors=[], ids=ids
    )


@router.get("/{transfer_id}/details")
def details(transfer_id: TransferId, user: CurrentUser, database: Database) -> shapes.Details:
    """Show a transfer with its remarks."""
    transfer = find(database, user, transfer_id)
    notes = database.scalars(
        select(Note).where(Note.subject == NOTE_SUBJECT, Note.subject_id == transfer_id).order_by(Note.id)
    )
    shown = shapes.Transfer.model_validate(transfer).model_dump()
    return shapes.Details(**shown, notes=[_shown(note) for note in notes])


@router.post("/{transfer_id}/notes", status_code=status.HTTP_201_CREATED)
def remark(transfer_id: TransferId, body: shapes.NoteIn, user: CurrentUser, database: Database) -> shapes.NoteOut:
    """Put another remark on a transfer."""
    find(database, user, transfer_id)
    return _shown(add_note(database, user, transfer_id, body.note))


def _shown(note: Note) -> shapes.NoteOut:
    return shapes.NoteOut(
        id=note.id,
        transfer_id=note.subject_id,
        note=note.text,
        author_id=note.author_id,
        created_at=note.created_at,
    )
