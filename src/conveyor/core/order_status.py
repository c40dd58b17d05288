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
    REFUNDED = "refunded"
    """Completed, and its money was given back: what was delivered stays where it is."""


TERMINAL = frozenset(
    {OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.REFUSED, OrderStatus.REFUNDED}
)
SETTLED = TERMINAL | {OrderStatus.PARKED}
UNDONE = frozenset({OrderStatus.CANCELLED, OrderStatus.REFUSED})
"""The ends at which nothing is left of what an order's steps did."""
