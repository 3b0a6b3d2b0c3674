"""Field sales: where salespeople were, what they earned, what they aim for, and each of their days in one row."""

from datetime import date
from decimal import Decimal

from sqlalchemy import Float, ForeignKey, Index, Numeric, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from erp.domain.commission import RATE_PERCENT
from erp.models.base import Base, CreatedAt, Moment, Money, Percentage, UpdatedAt, Uuid
from tshkit.database import utcnow


class GpsLocation(Base):
    """One point of a salesperson's way, as their device measured it."""

    __tablename__ = "salesperson_gps_locations"
    __table_args__ = (
        Index("idx_gps_salesperson", "salesperson_id"),
        Index("idx_gps_timestamp", "timestamp"),
        Index("idx_gps_customer_visit", "is_customer_visit"),
        Index("idx_gps_sync_status", "is_synced"),
        Index("idx_gps_created_at", "created_at"),
        Index("idx_gps_location_uuid", "location_uuid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    location_uuid: Mapped[Uuid]
    salesperson_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    latitude: Mapped[Decimal] = mapped_column(Numeric(10, 8))
    longitude: Mapped[Decimal] = mapped_column(Numeric(11, 8))
    accuracy: Mapped[float | None] = mapped_column(Float)
    altitude: Mapped[float | None] = mapped_column(Float)
    speed: Mapped[float | None] = mapped_column(Float)
    heading: Mapped[float | None] = mapped_column(Float)
    timestamp: Mapped[Moment]
    recorded_at: Mapped[Moment | None] = mapped_column(default=utcnow)
    activity_type: Mapped[str | None] = mapped_column(String(50))
    is_customer_visit: Mapped[bool | None] = mapped_column(default=False)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))
    visit_verified: Mapped[bool | None] = mapped_column(default=False)
    distance_from_customer: Mapped[float | None] = mapped_column(Float)
    battery_level: Mapped[int | None]
    is_charging: Mapped[bool | None]
    device_id: Mapped[str | None] = mapped_column(String(100))
    is_synced: Mapped[bool | None] = mapped_column(default=True)
    synced_at: Mapped[Moment | None] = mapped_column(default=utcnow)
    created_at: Mapped[CreatedAt]


class Commission(Base):
    """What a salesperson earned in a period; those of a verified transfer name it."""

    __tablename__ = "salesperson_commissions"
    __table_args__ = (
        Index("idx_commission_salesperson", "salesperson_id"),
        Index("idx_commission_period_start", "period_start"),
        Index("idx_commission_period_end", "period_end"),
        Index("idx_commission_status", "status"),
        Index("idx_commission_paid", "is_paid"),
        Index("idx_commission_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    commission_uuid: Mapped[Uuid]
    salesperson_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    salesperson_name: Mapped[str] = mapped_column(String(100))
    period_type: Mapped[str] = mapped_column(String(20))
    period_start: Mapped[date]
    period_end: Mapped[date]
    total_sales_amount: Mapped[Money]
    commission_rate: Mapped[Percentage | None] = mapped_column(default=RATE_PERCENT)
    calculated_commission: Mapped[Money]
    approved_commission: Mapped[Money | None]
    total_orders: Mapped[int | None] = mapped_column(default=0)
    total_customers: Mapped[int | None] = mapped_column(default=0)
    avg_order_value: Mapped[Money | None]
    status: Mapped[str | None] = mapped_column(String(20), default="pending")
    is_paid: Mapped[bool | None] = mapped_column(default=False)
    paid_date: Mapped[date | None]
    payment_method: Mapped[str | None] = mapped_column(String(50))
    payment_reference: Mapped[str | None] = mapped_column(String(100))
    transfer_id: Mapped[int | None] = mapped_column(ForeignKey("money_transfers.id"))
    calculated_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    paid_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    calculated_at: Mapped[Moment | None]
    approved_at: Mapped[Moment | None]
    paid_at: Mapped[Moment | None]
    notes: Mapped[str | None] = mapped_column(Text)
    manager_notes: Mapped[str | None] = mapped_column(Text)
    is_synced: Mapped[bool | None] = mapped_column(default=True)
    synced_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Target(Base):
    """What a salesperson is to reach in a period, and how far they have come."""

    __tablename__ = "salesperson_targets"
    __table_args__ = (
        Index("idx_target_salesperson", "salesperson_id"),
        Index("idx_target_period_start", "period_start"),
        Index("idx_target_period_end", "period_end"),
        Index("idx_target_achieved", "is_achieved"),
        Index("idx_target_active", "is_active"),
        Index("idx_target_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    target_uuid: Mapped[Uuid]
    salesperson_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    salesperson_name: Mapped[str] = mapped_column(String(100))
    period_type: Mapped[str] = mapped_column(String(20))
    period_start: Mapped[date]
    period_end: Mapped[date]
    target_revenue_iqd: Mapped[Money | None]
    target_revenue_usd: Mapped[Money | None]
    target_orders: Mapped[int | None]
    target_customers: Mapped[int | None]
    achieved_revenue_iqd: Mapped[Money | None] = mapped_column(default=Decimal(0))
    achieved_revenue_usd: Mapped[Money | None] = mapped_column(default=Decimal(0))
    achieved_orders: Mapped[int | None] = mapped_column(default=0)
    achieved_customers: Mapped[int | None] = mapped_column(default=0)
    revenue_progress_percentage: Mapped[Percentage | None] = mapped_column(default=Decimal(0))
    orders_progress_percentage: Mapped[Percentage | None] = mapped_column(default=Decimal(0))
    customers_progress_percentage: Mapped[Percentage | None] = mapped_column(default=Decimal(0))
    overall_progress_percentage: Mapped[Percentage | None] = mapped_column(default=Decimal(0))
    is_achieved: Mapped[bool | None] = mapped_column(default=False)
    achievement_date: Mapped[date | None]
    is_active: Mapped[bool | None] = mapped_column(default=True)
    bonus_enabled: Mapped[bool | None] = mapped_column(default=False)
    bonus_percentage: Mapped[Percentage | None]
    bonus_amount: Mapped[Money | None]
    bonus_paid: Mapped[bool | None] = mapped_column(default=False)
    set_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    set_at: Mapped[Moment | None]
    description: Mapped[str | None] = mapped_column(Text)
    notes: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class DailySummary(Base):
    """A salesperson's day in one row, computed anew whenever something of that day changes."""

    __tablename__ = "salesperson_daily_summaries"
    __table_args__ = (
        Index("idx_daily_summary_salesperson", "salesperson_id"),
        Index("idx_daily_summary_date", "summary_date"),
        Index("idx_daily_summary_unique", "salesperson_id", "summary_date", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    salesperson_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    summary_date: Mapped[date]
    total_sales_iqd: Mapped[Money | None]
    total_sales_usd: Mapped[Money | None]
    total_orders: Mapped[int | None]
    total_customers_visited: Mapped[int | None]
    avg_order_value: Mapped[Money | None]
    daily_commission: Mapped[Money | None]
    total_distance_km: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    total_time_hours: Mapped[Decimal | None] = mapped_column(Numeric(6, 2))
    gps_points_count: Mapped[int | None]
    customer_visits: Mapped[int | None]
    verified_visits: Mapped[int | None]
    transfers_made: Mapped[int | None]
    total_transferred_usd: Mapped[Money | None]
    daily_rank: Mapped[int | None]
    calculated_at: Mapped[Moment | None]
