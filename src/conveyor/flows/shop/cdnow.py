"""The CDNOW file: real purchases at a web shop in 1997 and 1998, as order bodies.

The data set was published by Fader and Hardie: every purchase of the customers who first bought in
the first quarter of 1997. A line is `customer_id,date,quantity,total`; nothing else is known of an
order, and nothing is made up here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import orjson

from conveyor.core.errors import ConveyorError

CURRENCY = "USD"
COUNTRY = "US"
SKU = "CD"
MINOR_DIGITS = 2
COLUMNS = ("customer_id", "date", "quantity", "total")
PACKAGED = "data/cdnow-first-1000.csv"


class CdnowLineError(ConveyorError):
    """A line that is not of a CDNOW file."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}")
        self.line = line
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Purchase:
    """A line of the file; `number` counts the purchases from 1, `total` is in cents."""

    number: int
    customer: str
    date: str
    quantity: int
    total: int


def read_purchases(lines: Iterable[str]) -> Iterator[Purchase]:
    """Read a CDNOW file line by line. Raises `CdnowLineError`."""
    rows = csv.reader(lines)
    if tuple(next(rows, ())) != COLUMNS:
        raise CdnowLineError(1, f"the header must be {','.join(COLUMNS)}")
    for number, row in enumerate(rows, start=1):
        try:
            customer, date, quantity, total = row
            yield Purchase(number, customer, date, int(quantity), _cents(total))
        except ValueError as error:
            raise CdnowLineError(rows.line_num, str(error)) from error


def order_body(purchase: Purchase, *, sku: str = SKU, method: str = "card_ok") -> dict[str, Any]:
    """Give the order as the API takes it; prices of single CDs are not known, the total is."""
    return {
        "flow": "shop",
        "reference": f"cdnow-{purchase.number}",
        "customer": {"id": purchase.customer},
        "currency": CURRENCY,
        "items": [{"sku": sku, "quantity": purchase.quantity}],
        "total": purchase.total,
        "payment": {"method": method},
        "shipping": {"country": COUNTRY},
        "metadata": {"date": purchase.date},
    }


def to_jsonl(lines: Iterable[str]) -> Iterator[bytes]:
    """Convert a CDNOW file to lines that `conveyor replay` takes. Raises `CdnowLineError`."""
    for purchase in read_purchases(lines):
        yield orjson.dumps(order_body(purchase), option=orjson.OPT_APPEND_NEWLINE)


def packaged_purchases() -> list[Purchase]:
    """Give the first thousand purchases, which come with the package."""
    text = files("conveyor").joinpath(PACKAGED).read_text(encoding="utf-8")
    return list(read_purchases(text.splitlines()))


def _cents(total: str) -> int:
    whole, _, hundredths = total.partition(".")
    if len(hundredths) != MINOR_DIGITS:
        raise ValueError(f"total is {total!r}, not an amount with {MINOR_DIGITS} decimal places")
    return int(whole + hundredths)
