"""Notifications: /v1/notifications. Everybody has their own and sees no others."""

from datetime import datetime
from typing import Annotated, cast

from fastapi import APIRouter, HTTPException, Path, Query, status
from pydantic import BaseModel, Field
from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from neurolink.access import CurrentUserId, UnreadCounts
from neurolink.models import Notification
from tshkit.database import utcnow
from tshkit.sessions import Database

router = APIRouter(prefix="/v1/notifications", tags=["notifications"])

NotificationId = Annotated[int, Path(gt=0, le=2**63 - 1)]


class NotificationOut(BaseModel):
    """A notification with what its event says."""

    id: int
    event_id: int
    type: str
    severity: str
    title: str
    body: str
    created_at: datetime
    read_at: datetime | None
    dismissed_at: datetime | None


class Ids(BaseModel):
    """Some notifications."""

    ids: Annotated[list[Annotated[int, Field(gt=0, le=2**63 - 1)]], Field(min_length=1, max_length=500)]


class Changed(BaseModel):
    """How many notifications were changed."""

    changed: int


class UnreadCount(BaseModel):
    """How many notifications are neither read nor dismissed."""

    unread: int


def _shown(notification: Notification) -> NotificationOut:
    event = notification.event
    return NotificationOut(
        id=notification.id,
        event_id=event.id,
        type=event.type,
        severity=event.severity,
        title=event.title,
        body=event.body,
        created_at=notification.created_at,
        read_at=notification.read_at,
        dismissed_at=notification.dismissed_at,
    )


def _find(database: Session, user_id: int, notification_id: int) -> Notification:
    notification = database.get(Notification, notification_id)
    if notification is None or notification.recipient_id != user_id:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "Notification not found")
    return notification


@router.get("")
def list_notifications(
    user_id: CurrentUserId,
    database: Database,
    unread_only: bool = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[NotificationOut]:
    """List what has not been dismissed, the newest first."""
    query = select(Notification).where(Notification.recipient_id == user_id, Notification.dismissed_at.is_(None))
    if unread_only:
        query = query.where(Notification.read_at.is_(None))
    rows = database.scalars(query.order_by(Notification.id.desc()).limit(limit).offset(offset))
    return [_shown(row) for row in rows]


@router.get("/unread/count")
def unread_count(user_id: CurrentUserId, database: Database, unread: UnreadCounts) -> UnreadCount:
    """Count what is neither read nor dismissed."""
    return UnreadCount(unread=unread.count(database, user_id))


@router.post("/mark-read")
def mark_read(body: Ids, user_id: CurrentUserId, database: Database, unread: UnreadCounts) -> Changed:
    """Mark some as read."""
    return _mark(database, unread, user_id, body.ids)


@router.post("/mark-all-read")
def mark_all_read(user_id: CurrentUserId, database: Database, unread: UnreadCounts) -> Changed:
    """Mark all as read."""
    return _mark(database, unread, user_id, None)


def _mark(database: Session, unread: UnreadCounts, user_id: int, ids: list[int] | None) -> Changed:
    statement = update(Notification).where(Notification.recipient_id == user_id, Notification.read_at.is_(None))
    if ids is not None:
        statement = statement.where(Notification.id.in_(ids))
    result = cast("CursorResult[tuple[()]]", database.execute(statement.values(read_at=utcnow())))
    unread.changed(user_id)
    return Changed(changed=result.rowcount)


@router.get("/{notification_id}")
def show(notification_id: NotificationId, user_id: CurrentUserId, database: Database) -> NotificationOut:
    """Show one."""
    return _shown(_find(database, user_id, notification_id))


@router.patch("/{notification_id}/read")
def read(
    notification_id: NotificationId, user_id: CurrentUserId, database: Database, unread: UnreadCounts
) -> NotificationOut:
    """Mark one as read; the first time counts."""
    notification = _find(database, user_id, notification_id)
    notification.read_at = notification.read_at or utcnow()
    unread.changed(user_id)
    return _shown(notification)


@router.patch("/{notification_id}/dismiss")
def dismiss(
    notification_id: NotificationId, user_id: CurrentUserId, database: Database, unread: UnreadCounts
) -> NotificationOut:
    """Take one off the list; the first time counts."""
    notification = _find(database, user_id, notification_id)
    notification.dismissed_at = notification.dismissed_at or utcnow()
    unread.changed(user_id)
    return _shown(notification)


@router.delete("/{notification_id}", status_code=status.HTTP_204_NO_CONTENT)
def remove(notification_id: NotificationId, user_id: CurrentUserId, database: Database, unread: UnreadCounts) -> None:
    """Delete one for good."""
    _find(database, user_id, notification_id)
    database.execute(delete(Notification).where(Notification.id == notification_id))
    unread.changed(user_id)
