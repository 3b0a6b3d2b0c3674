"""Who works here and who buys: roles, branches, users and customers."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import DateTime, ForeignKey, Numeric, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from erp.models.base import Base, CreatedAt, Moment, UpdatedAt
from tshkit.database import utcnow

MANAGER_ROLES = frozenset({"admin", "manager"})
WEB_ROLES = frozenset({"admin", "owner", "manager", "security"})


class Role(Base):
    """What a user may do; compared by lower-cased name."""

    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    description: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool | None] = mapped_column(default=True)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Branch(Base):
    """A place of business."""

    __tablename__ = "branches"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_ar: Mapped[str] = mapped_column(String(100))
    code: Mapped[str] = mapped_column(String(20), unique=True)
    city: Mapped[str | None] = mapped_column(String(100))
    is_active: Mapped[bool | None] = mapped_column(default=True)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class User(Base):
    """An account: it logs in with its e-mail address and has one role."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(255), unique=True)
    password: Mapped[str] = mapped_column(String(255))
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"))
    branch_id: Mapped[int] = mapped_column(ForeignKey("branches.id"))
    employee_code: Mapped[str | None] = mapped_column(String(20), unique=True)
    phone: Mapped[str | None] = mapped_column(String(20))
    is_salesperson: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    is_verified: Mapped[bool | None] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=False), default=utcnow)
    updated_at: Mapped[UpdatedAt]
    last_login: Mapped[Moment | None]

    role: Mapped[Role] = relationship(lazy="joined")

    @property
    def role_name(self) -> str:
        """The role's name in lower case."""
        return self.role.name.lower()

    @property
    def is_manager(self) -> bool:
        """Whether the user may see and decide other people's matters."""
        return self.role_name in MANAGER_ROLES


class Customer(Base):
    """Somebody who buys, and the salesperson who looks after them."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_code: Mapped[str] = mapped_column(String(50), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    name_ar: Mapped[str] = mapped_column(String(200))
    company_name: Mapped[str | None] = mapped_column(String(200))
    company_name_ar: Mapped[str | None] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(20))
    email: Mapped[str | None] = mapped_column(String(255))
    address: Mapped[str | None] = mapped_column(Text)
    city: Mapped[str | None] = mapped_column(String(100))
    country: Mapped[str | None] = mapped_column(String(100))
    tax_number: Mapped[str | None] = mapped_column(String(50))
    credit_limit: Mapped[Decimal | None] = mapped_column(Numeric(15, 3))
    payment_terms: Mapped[int | None]
    discount_percentage: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    currency: Mapped[str | None] = mapped_column(String(3))
    portal_language: Mapped[str | None] = mapped_column(String(5))
    salesperson_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    is_active: Mapped[bool | None] = mapped_column(default=True)
    notes: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utcnow)
    updated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), onupdate=utcnow)
