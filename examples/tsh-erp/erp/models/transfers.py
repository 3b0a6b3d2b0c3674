"""Money that salespeople send in: the amount, the sales behind it and the commission they keep."""

from datetime import datetime

from sqlalchemy import DateTime, Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from erp.models.base import Base, CreatedAt, Moment, UpdatedAt


class MoneyTransfer(Base):
    """One transfer from a salesperson, from `pending` to `received`, `rejected` or `cancelled`."""

    __tablename__ = "money_transfers"
    __table_args__ = (
        Index("idx_transfer_salesperson", "salesperson_id"),
        Index("idx_transfer_status", "status"),
        Index("idx_transfer_datetime", "transfer_datetime"),
        Index("idx_transfer_platform", "transfer_platform"),
        Index("idx_transfer_suspicious", "is_suspicious"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    transfer_uuid: Mapped[str | None] = mapped_column(String(36), unique=True)
    salesperson_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    salesperson_name: Mapped[str] = mapped_column(String(100))
    amount_usd: Mapped[float] = mapped_column(Float)
    amount_iqd: Mapped[float] = mapped_column(Float)
    exchange_rate: Mapped[float] = mapped_column(Float)
    gross_sales: Mapped[float] = mapped_column(Float)
    commission_rate: Mapped[float | None] = mapped_column(Float)
    calculated_commission: Mapped[float] = mapped_column(Float)
    claimed_commission: Mapped[float] = mapped_column(Float)
    commission_verified: Mapped[bool | None] = mapped_column(default=False)
    transfer_platform: Mapped[str] = mapped_column(String(50))
    platform_reference: Mapped[str | None] = mapped_column(String(100))
    transfer_fee: Mapped[float | None] = mapped_column(Float)
    transfer_datetime: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    gps_latitude: Mapped[float | None] = mapped_column(Float)
    gps_longitude: Mapped[float | None] = mapped_column(Float)
    location_name: Mapped[str | None] = mapped_column(String(200))
    receipt_photo_url: Mapped[str | None] = mapped_column(String(500))
    receipt_verified: Mapped[bool | None] = mapped_column(default=False)
    status: Mapped[str | None] = mapped_column(String(20), default="pending")
    money_received: Mapped[bool | None] = mapped_column(default=False)
    received_datetime: Mapped[Moment | None]
    is_suspicious: Mapped[bool | None] = mapped_column(default=False)
    fraud_alert_reason: Mapped[str | None] = mapped_column(Text)
    manager_approval_required: Mapped[bool | None] = mapped_column(default=False)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
