"""Remarks on rows whose own tables have no column for them: GPS locations and transfers."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from erp.models.base import Base
from tshkit.database import utcnow


class Note(Base):
    """A remark by `author_id` on the row `subject_id` of the kind `subject`."""

    __tablename__ = "notes"
    __table_args__ = (Index("idx_note_subject", "subject", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(30))
    subject_id: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=False), default=utcnow)
