"""When a money transfer deserves a second look."""

from datetime import datetime
from decimal import Decimal

from erp.domain.commission import RATE_PERCENT, claim_is_acceptable

LARGE_AMOUNT_USD = 5000
SATURDAY = 5


def reasons(
    *,
    amount_usd: float,
    gross_sales: float,
    claimed_commission: Decimal | float,
    has_position: bool,
    at: datetime,
) -> list[str]:
    """Return why a transfer is suspicious, in words for its reviewer; an empty list when it is not."""
    found: list[str] = []
    if not claim_is_acceptable(claimed_commission, gross_sales):
        found.append(f"Claimed commission is more than 5 % off {RATE_PERCENT} % of the sales")
    if not has_position:
        found.append("No GPS position")
    if amount_usd > LARGE_AMOUNT_USD:
        found.append(f"Amount above {LARGE_AMOUNT_USD} USD")
    if at.weekday() >= SATURDAY:
        found.append(f"Made on a {at:%A}")
    return found
