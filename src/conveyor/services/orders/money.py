"""Money in minor units: from major units, and in words."""

from __future__ import annotations

from decimal import Decimal, Inexact, localcontext

# ISO 4217: currencies whose minor unit is not a hundredth.
MINOR_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
HUNDREDTHS = 2


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
