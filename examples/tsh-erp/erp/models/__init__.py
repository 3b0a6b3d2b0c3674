"""The tables, one class each; migrations/ makes them, and a test holds the two together."""

from erp.models.base import Base
from erp.models.field_sales import Commission, DailySummary, GpsLocation, Target
from erp.models.notes import Note
from erp.models.people import Branch, Customer, Role, User
from erp.models.transfers import MoneyTransfer

__all__ = [
    "Base",
    "Branch",
    "Commission",
    "Customer",
    "DailySummary",
    "GpsLocation",
    "MoneyTransfer",
    "Note",
    "Role",
    "Target",
    "User",
]
