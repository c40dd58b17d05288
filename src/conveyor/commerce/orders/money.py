"""Money in minor units: from major units, and in words."""

from __future__ import annotations

from decimal import Decimal, Inexact, localcontext

from conveyor.commerce.orders.model import MINOR_DIGITS

HUNDREDTHS = 2
"""Of what is no currency any more, but was when its order was taken."""


def to_minor_units(amount: Decimal, currency: str) -> int:
    """100 USD is 10000. Raises ValueError when the currency has no such small unit."""
    with localcontext() as context:
        context.traps[Inexact] = True  # else what is far too small would be rounded to nothing
        try:
            minor = amount.scaleb(MINOR_DIGITS.get(currency, HUNDREDTHS))
        except Inexact:
            minor = Decimal("NaN")
    if minor.is_nan() or minor != minor.to_integral_value():
        raise ValueError(f"total: {amount} {currency} has too many decimal places")
    return int(minor)


def in_words(amount: int, currency: str) -> str:
    """Write an amount of minor units for people: 117700 USD is `USD 1,177.00`."""
    return f"{currency} {Decimal(amount).scaleb(-MINOR_DIGITS.get(currency, HUNDREDTHS)):,f}"
