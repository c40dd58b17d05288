"""A line of a bill, and its arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field

from conveyor.operations.cost.prices import Price, PriceList

DIGITS = 4
EXACT = 1_000
"""From here on nobody reads what comes after the point."""


@dataclass(frozen=True, slots=True)
class Item:
    """So much of something, at its price; `free` is what the month's allowance took off."""

    what: str
    quantity: float
    unit: str
    free: float
    price: float
    per: float

    @property
    def cost(self) -> float:
        """Dollars a month."""
        return round((self.quantity - self.free) / self.per * self.price, DIGITS)

    @property
    def arithmetic(self) -> str:
        """Say how the cost comes about."""
        each = f"${self.price:.10f}".rstrip("0").rstrip(".")
        per = f" / {self.per:,.0f}" if self.per != 1 else ""
        amount = f"{_short(self.quantity)} {self.unit}"
        if self.free:
            amount = f"({amount} - {_short(self.free)} free)"
        return f"{self.what}: {amount} x {each}{per} = ${self.cost:,.2f}"


def _short(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= EXACT else f"{amount:,.2f}"


@dataclass(frozen=True, slots=True)
class Line:
    """What one part of a system costs."""

    name: str
    items: tuple[Item, ...] = ()

    @property
    def cost(self) -> float:
        """Dollars a month."""
        return round(sum(it.cost for it in self.items), DIGITS)


@dataclass
class Bill:
    """Writes items, and uses up what is free in the order in which they come."""

    prices: PriceList
    _left: dict[str, float] = field(default_factory=dict)

    def item(self, what: str, quantity: float, unit: str, name: str) -> Item:
        """Give so much of what has this price."""
        price = self.prices[name]
        free = min(quantity, self._allowance(price))
        self._left[price.free_with or price.name] -= free
        return Item(what, quantity, unit, free, price.price, price.per)

    def _allowance(self, price: Price) -> float:
        owner = self.prices[price.free_with] if price.free_with else price
        return self._left.setdefault(owner.name, owner.free)
