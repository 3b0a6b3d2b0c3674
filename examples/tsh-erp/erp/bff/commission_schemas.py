"""Bodies of the commission endpoints. Amounts are decimals in strings, with cents."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from erp.domain.periods import TargetName

Status = Literal["pending", "calculated", "approved", "paid", "settled"]
RowId = Annotated[int, Field(gt=0, le=2**31 - 1)]
Amount = Annotated[Decimal, Field(ge=0, le=1_000_000_000, decimal_places=2)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Text = Annotated[str, Field(max_length=2000)]


class Summary(BaseModel):
    """What somebody sold and earned in a period."""

    salesperson_id: int
    period: str
    period_start: date
    period_end: date
    commission_rate: Decimal
    total_sales: Decimal
    total_orders: int
    total_commission: Decimal
    pending_commission: Decimal
    paid_commission: Decimal


class Commission(BaseModel):
    """A stored commission."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    commission_uuid: str | None
    salesperson_id: int
    salesperson_name: str
    period_type: str
    period_start: date
    period_end: date
    total_sales_amount: Decimal
    commission_rate: Decimal | None
    calculated_commission: Decimal
    approved_commission: Decimal | None
    total_orders: int | None
    status: str | None
    is_paid: bool | None
    paid_date: date | None
    payment_method: str | None
    payment_reference: str | None
    transfer_id: int | None
    notes: str | None
    created_at: datetime | None


class CommissionList(BaseModel):
    """Commissions, the newest first."""

    commissions: list[Commission]
    total: int
    total_amount: Decimal
    limit: int
    offset: int


class Calculation(BaseModel):
    """What a sale would bring."""

    model_config = ConfigDict(from_attributes=True)

    sales_amount: Decimal
    commission_rate: Decimal
    commission_amount: Decimal
    estimated_payout: Decimal
    tax_amount: Decimal
    net_payout: Decimal


class PayoutRequest(BaseModel):
    """Commissions to be paid out."""

    commission_ids: Annotated[list[RowId], Field(min_length=1, max_length=500)]
    payment_method: Annotated[str, Field(min_length=1, max_length=50)]
    notes: Text | None = None


class Payout(BaseModel):
    """A payout that was asked for."""

    request_id: str
    total_amount: Decimal
    commission_count: int
    status: Literal["requested"] = "requested"
    estimated_payment_date: date


class NewTarget(BaseModel):
    """A target to set; it ends with its period when no end is given."""

    salesperson_id: RowId
    period_type: TargetName = "monthly"
    period_start: date
    period_end: date | None = None
    target_revenue_iqd: Amount | None = None
    target_revenue_usd: Amount | None = None
    target_orders: Count | None = None
    target_customers: Count | None = None
    bonus_enabled: bool = False
    bonus_percentage: Annotated[Decimal | None, Field(ge=0, le=100, decimal_places=2)] = None
    description: Text | None = None
    notes: Text | None = None


class TargetChange(BaseModel):
    """What to change in a target; what is left out stays."""

    target_revenue_iqd: Amount | None = None
    target_revenue_usd: Amount | None = None
    target_orders: Count | None = None
    target_customers: Count | None = None
    bonus_enabled: bool | None = None
    bonus_percentage: Annotated[Decimal | None, Field(ge=0, le=100, decimal_places=2)] = None
    is_active: bool | None = None
    description: Text | None = None
    notes: Text | None = None


class Target(BaseModel):
    """A stored target."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    target_uuid: str | None
    salesperson_id: int
    salesperson_name: str
    period_type: str
    period_start: date
    period_end: date
    target_revenue_iqd: Decimal | None
    target_revenue_usd: Decimal | None
    target_orders: int | None
    target_customers: int | None
    achieved_revenue_iqd: Decimal | None
    achieved_revenue_usd: Decimal | None
    achieved_orders: int | None
    achieved_customers: int | None
    revenue_progress_percentage: Decimal | None
    orders_progress_percentage: Decimal | None
    customers_progress_percentage: Decimal | None
    overall_progress_percentage: Decimal | None
    is_achieved: bool | None
    achievement_date: date | None
    is_active: bool | None
    bonus_enabled: bool | None
    bonus_percentage: Decimal | None
    bonus_amount: Decimal | None
    set_by: int | None
    description: str | None
    notes: str | None


class TargetList(BaseModel):
    """Targets, the newest first."""

    targets: list[Target]
    total: int


class MonthFigures(BaseModel):
    """One month."""

    month: str
    total_sales: Decimal
    total_orders: int
    total_commission: Decimal


class Analytics(BaseModel):
    """How commission developed, month by month, the oldest first."""

    salesperson_id: int
    months: list[MonthFigures]
    best_month: str | None
    average_commission: Decimal


class LeaderboardEntry(BaseModel):
    """A place on the leaderboard."""

    rank: int
    badge: str | None
    salesperson_id: int
    salesperson_name: str
    total_sales: Decimal
    total_orders: int
    total_commission: Decimal


class Leaderboard(BaseModel):
    """Who sold most."""

    period: str
    period_start: date
    period_end: date
    leaderboard: list[LeaderboardEntry]
    total_participants: int
    my_rank: int | None


class Tier(BaseModel):
    """A level of monthly sales."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    minimum_sales: Decimal
    commission_rate: Decimal


class Tiers(BaseModel):
    """All levels, and the one that the asker has reached this month."""

    tiers: list[Tier]
    current_tier: str
    monthly_sales: Decimal
    missing_to_next: Decimal | None


class Forecast(BaseModel):
    """Where the month is heading when it goes on as it began."""

    salesperson_id: int
    period_start: date
    period_end: date
    days_elapsed: int
    days_in_period: int
    sales_to_date: Decimal
    projected_sales: Decimal
    projected_commission: Decimal


class ExportOrder(BaseModel):
    """Which commissions to write out."""

    salesperson_id: RowId | None = None
    status: Status | None = None
    start_date: date | None = None
    end_date: date | None = None
    format: Literal["csv"] = "csv"
