"""Rules of inventory: what an order wants, and what always holds of a stock level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class ReservationState(StrEnum):
    """What became of reserved units: one word for each, stored as it is written."""

    RESERVED = "reserved"
    RELEASED = "released"
    SOLD = "sold"


MAX_AVAILABLE = 10**15
"""Units of one SKU that may be made available: exact in JSON, and sums stay within 64 bits."""

MAX_SKU_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Line:
    """So many units of a SKU."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Goods:
    """What inventory reads of an order's body."""

    items: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class StockLevel:
    """One merchant's stock of one SKU, in units."""

    merchant: str
    sku: str
    received: int
    available: int
    reserved: int
    sold: int

    @property
    def balanced(self) -> bool:
        """Whether nothing is negative and all that was received is accounted for."""
        parts = (self.available, self.reserved, self.sold)
        return min(parts) >= 0 and sum(parts) == self.received


def wanted(items: Iterable[Line]) -> dict[str, int]:
    """Give the units of each SKU that an order wants, SKUs in sorted order.

    Everybody takes stock in this one order, and equal SKUs are one demand: two lines of three
    units must not both be granted by the same four.
    """
    totals: dict[str, int] = {}
    for item in items:
        totals[item.sku] = totals.get(item.sku, 0) + item.quantity
    return dict(sorted(totals.items()))


def last_wins(rows: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Give one quantity a SKU, SKUs in sorted order; of several rows of one SKU the last counts."""
    return dict(sorted(dict(rows).items()))
