"""What the endpoints of all three groups share: parameter types, and the shape of a batch's outcome."""

from datetime import date
from typing import Annotated

from fastapi import HTTPException, Query, status
from pydantic import BaseModel

from erp.domain.periods import Period

PREFIX = "/api/bff/salesperson"

SalespersonId = Annotated[int | None, Query(gt=0, le=2**31 - 1, description="Somebody else's: for managers")]
Limit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


class BatchOutcome(BaseModel):
    """What became of a batch. Items that were there already, by their UUID, are not stored twice and not failed."""

    success: bool
    total: int
    duplicates: int
    failed: int
    errors: list[str]
    ids: list[int]


class ServiceHealth(BaseModel):
    """That a group of endpoints is served at all; needs no token."""

    status: str = "healthy"
    service: str
    version: str


def dates(start: date | None, end: date | None, default: Period) -> Period:
    """Return the period that was asked for, 422 when it ends before it starts."""
    period = Period(start or default.start, end or default.end)
    if period.end < period.start:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "end_date is before start_date")
    return period
