"""Events: /v1/events. Reporting one makes a notification for each of its recipients."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, HTTPException, Path, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from neurolink import email
from neurolink.access import AppSettings, CurrentClaims, CurrentUserId, UnreadCounts
from neurolink.models import Event, Notification
from neurolink.settings import Settings
from tshkit.sessions import Database

MANAGER_ROLES = frozenset({"admin", "manager"})

router = APIRouter(prefix="/v1/events", tags=["events"])

UserId = Annotated[int, Field(gt=0, le=2**31 - 1)]


class NewEvent(BaseModel):
    """What happened, and who is to know; the reporter alone when nobody is named."""

    idempotency_key: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]*$", max_length=100)]
    severity: Literal["info", "warning", "critical"] = "info"
    title: Annotated[str, Field(min_length=1, max_length=200)]
    body: Annotated[str, Field(max_length=10_000)] = ""
    data: dict[str, Any] = {}
    recipients: Annotated[list[UserId], Field(max_length=500)] = []
    email_to: Annotated[str | None, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=255)] = None


class EventOut(BaseModel):
    """A stored event."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    type: str
    severity: str
    title: str
    body: str
    data: dict[str, Any]
    source: str
    created_at: datetime
    email_outcome: str | None


class Reported(EventOut):
    """A stored event, and how many were notified of it."""

    notifications: int


def _visible(claims: CurrentClaims) -> Any:
    return True if claims.role in MANAGER_ROLES else Event.source == claims.subject


@router.post("", status_code=status.HTTP_201_CREATED)
def report(
    new: NewEvent,
    request: Request,
    response: Response,
    later: BackgroundTasks,
    claims: CurrentClaims,
    user_id: CurrentUserId,
    database: Database,
    settings: AppSettings,
    unread: UnreadCounts,
) -> Reported:
    """Report an event; one whose idempotency key is known is returned as it is, with 200."""
    recipients = set(new.recipients) or {user_id}
    if claims.role not in MANAGER_ROLES and recipients != {user_id}:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Only managers may notify others")
    if new.idempotency_key is not None:
        known = database.scalar(
            select(Event).where(Event.idempotency_key == new.idempotency_key, Event.source == claims.subject)
        )
        if known is not None:
            response.status_code = status.HTTP_200_OK
            return Reported(**EventOut.model_validate(known).model_dump(), notifications=0)
    event = Event(**new.model_dump(exclude={"recipients"}), source=claims.subject)
    database.add(event)
    database.flush()
    database.add_all(Notification(event_id=event.id, recipient_id=one) for one in sorted(recipients))
    if event.severity == "critical" and event.email_to:
        later.add_task(_send, request.app.state.sessions, settings, event.id)
    # Counts that are read between here and the commit would be kept too low, but for a minute at most.
    unread.changed(*recipients)
    return Reported(**EventOut.model_validate(event).model_dump(), notifications=len(recipients))


def _send(sessions: sessionmaker[Session], settings: Settings, event_id: int) -> None:
    with sessions() as database:
        event = database.get_one(Event, event_id)
        to, subject, text = event.email_to or "", event.title, event.body
    # Nothing is held open while the mail is on its way.
    outcome = email.send(settings, to=to, subject=subject, text=text)
    with sessions.begin() as database:
        database.get_one(Event, event_id).email_outcome = outcome


@router.get("")
def list_events(
    claims: CurrentClaims,
    database: Database,
    kind: Annotated[str | None, Query(alias="type", max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[EventOut]:
    """List events, the newest first: one's own reports, and for managers everybody's."""
    query = select(Event).where(_visible(claims)).order_by(Event.id.desc()).limit(limit).offset(offset)
    if kind is not None:
        query = query.where(Event.type == kind)
    return [EventOut.model_validate(event) for event in database.scalars(query)]


@router.get("/{event_id}")
def show(event_id: Annotated[int, Path(gt=0, le=2**63 - 1)], claims: CurrentClaims, database: Database) -> EventOut:
    """Show one event."""
    event = database.scalar(select(Event).where(Event.id == event_id, _visible(claims)))
    if event is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "Event not found")
    return EventOut.model_validate(event)
