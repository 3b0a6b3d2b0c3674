"""Bodies of the transfer endpoints."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NaiveDatetime, model_validator

from erp.bff.common import BatchOutcome
from erp.domain.commission import RATE_PERCENT, claim_is_acceptable, commission

Platform = Literal["ALTaif Bank", "ZAIN Cash", "SuperQi", "Other"]
Status = Literal["pending", "verified", "received", "rejected", "cancelled"]
RowId = Annotated[int, Field(gt=0, le=2**31 - 1)]


class NewTransfer(BaseModel):
    """Money on its way, and the sales that it comes from."""

    transfer_uuid: UUID | None = None
    salesperson_id: RowId | None = None
    amount_usd: Annotated[float, Field(gt=0, le=1_000_000)]
    amount_iqd: Annotated[float, Field(gt=0, le=5_000_000_000)]
    exchange_rate: Annotated[float, Field(gt=0, le=5_000)]
    gross_sales: Annotated[float, Field(gt=0, le=1_000_000)]
    claimed_commission: Annotated[float, Field(ge=0, le=1_000_000)]
    transfer_platform: Platform
    platform_reference: Annotated[str | None, Field(max_length=100)] = None
    transfer_fee: Annotated[float, Field(ge=0, le=1_000_000)] = 0
    transfer_datetime: AwareDatetime | NaiveDatetime | None = None
    gps_latitude: Annotated[float | None, Field(ge=-90, le=90)] = None
    gps_longitude: Annotated[float | None, Field(ge=-180, le=180)] = None
    location_name: Annotated[str | None, Field(max_length=200)] = None
    receipt_photo_url: Annotated[str | None, Field(max_length=500)] = None

    @model_validator(mode="after")
    def _claim_fits_sales(self) -> Self:
        if not claim_is_acceptable(self.claimed_commission, self.gross_sales):
            due = commission(self.gross_sales)
            raise ValueError(f"claimed_commission is more than 5 % off {due} ({RATE_PERCENT} % of gross_sales)")
        return self


class Bulk(BaseModel):
    """Transfers that were collected while the device was offline."""

    transfers: Annotated[list[NewTransfer], Field(min_length=1, max_length=100)]


class BulkOutcome(BatchOutcome):
    """What became of a batch of transfers."""

    created: int


class Transfer(BaseModel):
    """A stored transfer."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    transfer_uuid: str | None
    salesperson_id: int
    salesperson_name: str
    amount_usd: float
    amount_iqd: float
    exchange_rate: float
    gross_sales: float
    commission_rate: float | None
    calculated_commission: float
    claimed_commission: float
    commission_verified: bool | None
    transfer_platform: str
    platform_reference: str | None
    transfer_fee: float | None
    transfer_datetime: datetime
    gps_latitude: float | None
    gps_longitude: float | None
    location_name: str | None
    receipt_photo_url: str | None
    receipt_verified: bool | None
    status: str | None
    money_received: bool | None
    received_datetime: datetime | None
    is_suspicious: bool | None
    fraud_alert_reason: str | None
    manager_approval_required: bool | None
    created_at: datetime | None
    updated_at: datetime | None


class NoteIn(BaseModel):
    """A remark."""

    note: Annotated[str, Field(min_length=1, max_length=2000)]


class NoteOut(BaseModel):
    """A remark on a transfer."""

    id: int
    transfer_id: int
    note: str
    author_id: int
    created_at: datetime


class Details(Transfer):
    """A transfer with its remarks."""

    notes: list[NoteOut]


class Decided(Transfer):
    """A transfer after a decision, and the commission that the decision made."""

    commission_id: int | None


class TransferList(BaseModel):
    """A page of transfers, the newest first."""

    transfers: list[Transfer]
    total: int
    limit: int
    offset: int


class StatusChange(BaseModel):
    """Where a transfer is to go, and why."""

    status: Status
    notes: Annotated[str | None, Field(min_length=1, max_length=2000)] = None


class Verification(BaseModel):
    """What the manager looked at."""

    receipt_verified: bool = True
    notes: Annotated[str | None, Field(min_length=1, max_length=2000)] = None


class PlatformFigures(BaseModel):
    """Transfers over one platform."""

    count: int
    amount_usd: Decimal


class Statistics(BaseModel):
    """Transfers of a period; those that were cancelled or rejected don't count."""

    period_start: date
    period_end: date
    total_transfers: int
    total_amount_usd: Decimal
    total_amount_iqd: Decimal
    total_gross_sales: Decimal
    total_commission: Decimal
    pending_transfers: int
    verified_transfers: int
    received_transfers: int
    suspicious_transfers: int
    platform_breakdown: dict[str, PlatformFigures]


class StatusFigures(BaseModel):
    """Transfers in one state."""

    count: int = 0
    amount_usd: Decimal = Decimal(0)


class CashBox(BaseModel):
    """What is on its way and has not been received: by platform, and in all."""

    altaif_iqd: Decimal
    zain_cash_iqd: Decimal
    super_qi_iqd: Decimal
    other_iqd: Decimal
    total_iqd: Decimal
    total_usd: Decimal


class Summary(BaseModel):
    """Where all the transfers of somebody stand."""

    salesperson_id: int | None
    total_transfers: int
    total_commission: Decimal
    last_transfer_at: datetime | None
    by_status: dict[str, StatusFigures]
    cash_box: CashBox


class DayFigures(BaseModel):
    """Transfers of one day."""

    date: date
    count: int
    amount_usd: Decimal
    suspicious: int


class Analytics(BaseModel):
    """How transfers developed, day by day, days without any included."""

    days: int
    daily: list[DayFigures]
    total_transfers: int
    average_amount_usd: Decimal
    suspicious_rate_percent: Decimal
    busiest_day: date | None


class ExportOrder(BaseModel):
    """Which transfers to write out."""

    salesperson_id: RowId | None = None
    status: Status | None = None
    start_date: date | None = None
    end_date: date | None = None
    format: Literal["csv"] = "csv"
