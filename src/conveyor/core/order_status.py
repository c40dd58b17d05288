"""How an order stands: one word for each state of its life, stored and sent as it is written."""

from __future__ import annotations

from enum import StrEnum


class OrderStatus(StrEnum):
    """The states in the picture of docs/architecture.md."""

    PROCESSING = "processing"
    AWAITING = "awaiting"
    COMPENSATING = "compensating"
    PARKED = "parked"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUSED = "refused"


TERMINAL = frozenset({OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.REFUSED})
SETTLED = TERMINAL | {OrderStatus.PARKED}
