"""GPS: where salespeople are and were. Eight endpoints."""

from datetime import date, datetime, timedelta
from typing import Annotated, cast

from fastapi import APIRouter, HTTPException, Path, Query, status
from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from erp import __version__, fieldbook, figures
from erp.access import CurrentUser, for_whom, forbidden, not_found, whose
from erp.bff import gps_schemas as shapes
from erp.bff.common import PREFIX, SalespersonId, ServiceHealth
from erp.domain.commission import cents
from erp.domain.geo import way_length_km
from erp.domain.periods import Name, period
from erp.models import Customer, DailySummary, GpsLocation, Note, User
from tshkit.database import as_utc, utcnow
from tshkit.sessions import Database

NOTE_SUBJECT = "gps_location"

router = APIRouter(prefix=f"{PREFIX}/gps", tags=["gps"])


@router.get("/health")
def health() -> ServiceHealth:
    """Say that GPS is served."""
    return ServiceHealth(service="gps-tracking-bff", version=__version__)


@router.get("/sync-status")
def sync_status(user: CurrentUser, database: Database, salesperson_id: SalespersonId = None) -> shapes.SyncStatus:
    """Tell whether positions are waiting."""
    owner = whose(database, user, salesperson_id)
    pending, last = database.execute(
        select(func.count().filter(GpsLocation.is_synced.is_not(True)), func.max(GpsLocation.synced_at)).where(
            GpsLocation.salesperson_id == owner.id
        )
    ).one()
    return shapes.SyncStatus(pending_locations=pending, last_sync=last, is_syncing=False, sync_errors=[])


@router.post("/locations/batch")
def store_batch(batch: shapes.Batch, user: CurrentUser, database: Database) -> shapes.GpsBatchOutcome:
    """Store positions; all of them or, with an error, none. A UUID that is known already is not stored again."""
    owner = for_whom(database, user, batch.salesperson_id)
    _refuse_unknown_customers(database, batch.locations)
    rows = [_row(owner, point) for point in batch.locations]
    stored = database.scalars(
        insert(GpsLocation).on_conflict_do_nothing(index_elements=["location_uuid"]).returning(GpsLocation.id), rows
    ).all()
    fieldbook.update(database, owner.id, {as_utc(point.timestamp).date() for point in batch.locations})
    total = len(rows)
    return shapes.GpsBatchOutcome(
        success=True,
        total=total,
        uploaded=len(stored),
        duplicates=total - len(stored),
        failed=0,
        errors=[],
        ids=sorted(stored),
    )


def _row(owner: User, point: shapes.GpsPoint) -> dict[str, object]:
    uuid = str(point.location_uuid) if point.location_uuid else None
    values: dict[str, object] = point.model_dump(exclude={"location_uuid", "timestamp"})
    return values | {"location_uuid": uuid, "timestamp": as_utc(point.timestamp), "salesperson_id": owner.id}


def _refuse_unknown_customers(database: Session, points: list[shapes.GpsPoint]) -> None:
    wanted = {point.customer_id for point in points if point.customer_id is not None}
    known = set(database.scalars(select(Customer.id).where(Customer.id.in_(wanted)))) if wanted else set[int]()
    if missing := sorted(wanted - known):
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"No such customers: {missing}")


@router.get("/history")
def history(
    user: CurrentUser,
    database: Database,
    salesperson_id: SalespersonId = None,
    start_date: datetime | None = None,
    end_date: datetime | None = None,
    device_id: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> shapes.History:
    """List positions, the newest first; those of the last 24 hours when no dates are given."""
    owner = whose(database, user, salesperson_id)
    # An hour ahead, for devices whose clock runs fast.
    end = as_utc(end_date) if end_date else utcnow() + timedelta(hours=1)
    start = as_utc(start_date) if start_date else end - timedelta(hours=25)
    wanted = [GpsLocation.salesperson_id == owner.id, GpsLocation.timestamp >= start, GpsLocation.timestamp <= end]
    if device_id is not None:
        wanted.append(GpsLocation.device_id == device_id)
    query = select(GpsLocation).where(*wanted)
    newest = query.order_by(GpsLocation.timestamp.desc(), GpsLocation.id.desc()).limit(limit)
    return shapes.History(
        salesperson_id=owner.id,
        start_date=start,
        end_date=end,
        total=database.scalar(select(func.count()).select_from(GpsLocation).where(*wanted)) or 0,
        locations=[shapes.Location.model_validate(row) for row in database.scalars(newest)],
    )


@router.get("/summary")
def summary(
    user: CurrentUser,
    database: Database,
    salesperson_id: SalespersonId = None,
    summary_date: date | None = None,
) -> shapes.Summary:
    """Sum up a day, today when none is named."""
    owner, day = whose(database, user, salesperson_id), summary_date or utcnow().date()
    row = database.scalar(
        select(DailySummary).where(DailySummary.salesperson_id == owner.id, DailySummary.summary_date == day)
    )
    values = fieldbook.day_figures(database, owner.id, day) if row is None else vars(row)
    return shapes.Summary(
        salesperson_id=owner.id,
        date=day,
        total_distance_km=values["total_distance_km"],
        total_duration_hours=values["total_time_hours"],
        customer_visits=values["customer_visits"],
        verified_visits=values["verified_visits"],
        gps_points_count=values["gps_points_count"],
        transfers_made=values["transfers_made"],
    )


@router.get("/route")
def route(
    user: CurrentUser,
    database: Database,
    salesperson_id: SalespersonId = None,
    route_date: date | None = None,
) -> shapes.Route:
    """Return the way of a day, today's when none is named."""
    owner, day = whose(database, user, salesperson_id), route_date or utcnow().date()
    points = figures.locations(database, owner.id, figures.one_day(day))
    return shapes.Route(
        salesperson_id=owner.id,
        date=day,
        start_time=points[0].timestamp if points else None,
        end_time=points[-1].timestamp if points else None,
        total_distance_km=cents(way_length_km(figures.fixes(points))),
        points=[shapes.RoutePoint.model_validate(point, from_attributes=True) for point in points],
    )


@router.get("/stats")
def stats(
    user: CurrentUser,
    database: Database,
    salesperson_id: SalespersonId = None,
    period_name: Annotated[Name, Query(alias="period")] = "week",
) -> shapes.Stats:
    """Sum up a period."""
    owner, span = whose(database, user, salesperson_id), period(period_name, utcnow().date())
    mine = (GpsLocation.salesperson_id == owner.id, figures.within(GpsLocation.timestamp, span))
    points, days, accuracy, visits, verified = database.execute(
        select(
            func.count(),
            func.count(func.date(GpsLocation.timestamp).distinct()),
            func.avg(GpsLocation.accuracy),
            func.count().filter(GpsLocation.is_customer_visit.is_(True)),
            func.count().filter(GpsLocation.visit_verified.is_(True)),
        ).where(*mine)
    ).one()
    # Day by day, as the summaries have it: the way home in the evening is no way from yesterday to today.
    distance = database.scalar(
        select(func.sum(DailySummary.total_distance_km)).where(
            DailySummary.salesperson_id == owner.id, DailySummary.summary_date.between(*span)
        )
    )
    return shapes.Stats(
        salesperson_id=owner.id,
        period_start=span.start,
        period_end=span.end,
        total_points=points,
        active_days=days,
        total_distance_km=cents(distance or 0),
        average_accuracy_m=accuracy,
        customer_visits=visits,
        verified_visits=verified,
    )


@router.post("/locations/cleanup")
def cleanup(order: shapes.CleanupIn, user: CurrentUser, database: Database) -> shapes.CleanupOut:
    """Delete old positions of a salesperson that have arrived, with their remarks; the daily summaries stay."""
    owner = whose(database, user, order.salesperson_id)
    cutoff = utcnow() - timedelta(days=order.older_than_days)
    old = (GpsLocation.salesperson_id == owner.id, GpsLocation.timestamp < cutoff, GpsLocation.is_synced.is_(True))
    doomed = select(GpsLocation.id).where(*old)
    database.execute(delete(Note).where(Note.subject == NOTE_SUBJECT, Note.subject_id.in_(doomed)))
    result = cast("CursorResult[tuple[()]]", database.execute(delete(GpsLocation).where(*old)))
    return shapes.CleanupOut(deleted=result.rowcount, cutoff=cutoff)


@router.put("/locations/{location_id}/notes")
def set_notes(
    location_id: Annotated[int, Path(gt=0, le=2**31 - 1)],
    body: shapes.NotesIn,
    user: CurrentUser,
    database: Database,
) -> shapes.NotesOut:
    """Put a remark on a position, in place of the one that it has."""
    location = database.get(GpsLocation, location_id, with_for_update=True)
    if location is None:
        raise not_found("Location")
    if location.salesperson_id != user.id and not user.is_manager:
        raise forbidden("You may change only your own data")
    database.execute(delete(Note).where(Note.subject == NOTE_SUBJECT, Note.subject_id == location_id))
    note = Note(subject=NOTE_SUBJECT, subject_id=location_id, text=body.notes, author_id=user.id)
    database.add(note)
    database.flush()
    return shapes.NotesOut(location_id=location_id, notes=note.text, updated_at=note.created_at)
