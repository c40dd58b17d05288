"""What orders are looked for by: the same names in the API, on the command line and in the console.

All that is given must be so. Nothing of ours is imported here but how orders stand.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from conveyor.core.order_status import OrderStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """What orders are to match; None: whatever it is. Times are milliseconds since the epoch.

    `reference`, `customer`, `reason` and `sku` are exactly that; `sku` is of one of the order's
    items. `email` is the customer's, in small letters or large. `flow` is a name, and every version
    of it. `step` is what an order is owed or awaits now, or stands parked at. `..._after` is the
    first moment that counts, `..._before` the first that does not.
    """

    id: str | None = None
    reference: str | None = None
    customer: str | None = None
    email: str | None = None
    sku: str | None = None
    status: OrderStatus | None = None
    flow: str | None = None
    step: str | None = None
    reason: str | None = None
    merchant: str | None = None
    placed_after: int | None = None
    placed_before: int | None = None
    settled_after: int | None = None
    settled_before: int | None = None

    @property
    def asks(self) -> bool:
        """Whether it asks for anything: else every order matches."""
        return any(getattr(self, name) is not None for name in NAMES)


NAMES = tuple(field.name for field in fields(OrderFilter))
EVERYTHING = OrderFilter()
