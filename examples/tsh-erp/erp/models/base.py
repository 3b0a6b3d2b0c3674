"""The declarative base and the column types that recur."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from sqlalchemy import DateTime, Numeric, String
from sqlalchemy.orm import DeclarativeBase, mapped_column

from tshkit.database import utcnow

Money = Annotated[Decimal, mapped_column(Numeric(12, 2))]
Percentage = Annotated[Decimal, mapped_column(Numeric(5, 2))]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=False))]
CreatedAt = Annotated[datetime | None, mapped_column(DateTime(timezone=False), default=utcnow)]
UpdatedAt = Annotated[datetime | None, mapped_column(DateTime(timezone=False), default=utcnow, onupdate=utcnow)]
Uuid = Annotated[str | None, mapped_column(String(36), unique=True)]


class Base(DeclarativeBase):
    """Base of every table."""
