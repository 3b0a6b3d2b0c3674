"""Commission: 2.25 percent of the sales, how far a claim may be off, when it is paid out, and the tiers."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

RATE_PERCENT = Decimal("2.25")
CLAIM_TOLERANCE = Decimal("0.05")
PAYOUT_DELAY = timedelta(days=7)
TAX_PERCENT = Decimal(0)
CENT = Decimal("0.01")


def cents(amount: Decimal | float) -> Decimal:
    """Round an amount to cents, halves up, as the ledger does.

    >>> cents(0.125)
    Decimal('0.13')
    """
    exact = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    return exact.quantize(CENT, ROUND_HALF_UP)


def commission(sales: Decimal | float, rate_percent: Decimal = RATE_PERCENT) -> Decimal:
    """Return the commission on sales, in cents.

    >>> commission(1000)
    Decimal('22.50')
    """
    return cents(Decimal(str(sales)) * rate_percent / 100)


def claim_is_acceptable(claimed: Decimal | float, sales: Decimal | float) -> bool:
    """Tell whether a claimed commission is within 5 percent of what the sales give.

    >>> claim_is_acceptable(23.62, 1000), claim_is_acceptable(23.64, 1000)
    (True, False)
    """
    due = Decimal(str(sales)) * RATE_PERCENT / 100
    return abs(Decimal(str(claimed)) - due) <= due * CLAIM_TOLERANCE


@dataclass(frozen=True)
class Calculation:
    """What a sale brings: the commission, the tax on it, and what is paid out."""

    sales_amount: Decimal
    commission_rate: Decimal
    commission_amount: Decimal
    tax_amount: Decimal
    net_payout: Decimal


def calculate(sales: Decimal, rate_percent: Decimal = RATE_PERCENT) -> Calculation:
    """Work out commission, tax and payout of a sale."""
    amount = commission(sales, rate_percent)
    tax = cents(amount * TAX_PERCENT / 100)
    return Calculation(cents(sales), rate_percent, amount, tax, amount - tax)


def payout_date(requested_on: date) -> date:
    """Return the day on which a payout that was asked for is expected: a week later."""
    return requested_on + PAYOUT_DELAY


@dataclass(frozen=True)
class Tier:
    """A level of monthly sales in USD. The rate is the same on all of them; the name is the honour."""

    name: str
    minimum_sales: Decimal
    commission_rate: Decimal = RATE_PERCENT


TIERS = (
    Tier("bronze", Decimal(0)),
    Tier("silver", Decimal(10_000)),
    Tier("gold", Decimal(25_000)),
    Tier("platinum", Decimal(50_000)),
)


def tier_of(sales: Decimal) -> tuple[Tier, Decimal | None]:
    """Return the tier that monthly sales reach, and how much is missing to the next one (None on the highest)."""
    for tier, above in pairwise(TIERS):
        if sales < above.minimum_sales:
            return tier, above.minimum_sales - sales
    return TIERS[-1], None
