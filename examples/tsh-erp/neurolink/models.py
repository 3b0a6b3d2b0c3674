"""The tables, as neurolink/migrations makes them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, MetaData, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tshkit.database import utcnow


class Base(DeclarativeBase):
    """Base of every table."""

    metadata = MetaData(schema="neurolink")


class Event(Base):
    """Something that happened elsewhere."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(100), unique=True)
    type: Mapped[str] = mapped_column(String(100))
    severity: Mapped[str] = mapped_column(String(10))
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    source: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=False), default=utcnow)
    email_to: Mapped[str | None] = mapped_column(String(255))
    email_outcome: Mapped[str | None] = mapped_column(String(200))


class Notification(Base):
    """An event as one person sees it."""

    __tablename__ = "notifications"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("neurolink.events.id", ondelete="CASCADE"))
    recipient_id: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=False), default=utcnow)
    read_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=False))
    dismissed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=False))

    event: Mapped[Event] = relationship(lazy="joined")
