"""The plain form's money: major units, converted to the cent or turned away."""

from decimal import Decimal

import iso4217
import pytest

from conveyor.commerce.orders.model import MINOR_DIGITS
from conveyor.commerce.orders.money import to_minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("100", "USD", 10_000),
        ("10.50", "USD", 1_050),
        ("7", "JPY", 7),
        ("1.2E1", "KWD", 12_000),
        ("1", "CLF", 10_000),
    ],
)
def test_an_amount_is_converted_to_the_currency_s_own_minor_unit(
    amount: str, currency: str, minor: int
) -> None:
    assert to_minor_units(Decimal(amount), currency) == minor


@pytest.mark.parametrize(
    "amount", ["0.001", "1E-999999999999999999", "1.00000000000000000000000000000001"]
)
def test_what_is_smaller_than_the_smallest_coin_is_not_rounded_away(amount: str) -> None:
    with pytest.raises(ValueError, match="decimal places"):
        to_minor_units(Decimal(amount), "USD")


def test_the_currencies_and_their_minor_units_are_those_of_iso_4217() -> None:
    units = {code: str(row["CcyMnrUnts"]) for code, row in iso4217.raw_table.items() if code}
    published = {code: int(digits) for code, digits in units.items() if digits.isdigit()}
    assert published == MINOR_DIGITS
