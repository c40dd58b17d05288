"""What can happen to an order: one word for each, stored and sent as it is written."""

from __future__ import annotations

from enum import StrEnum


class TimelineEvent(StrEnum):
    """The kinds of entries in an order's timeline."""

    PLACED = "placed"
    DONE = "done"
    AWAITING = "awaiting"
    AGAIN = "again"
    REFUSED = "refused"
    """A step refuses; without a step, the order has come to its end by that."""
    FAULT = "fault"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    """Its provider is paused. With a `cause`, its own call has failed meanwhile."""
    PARKED = "parked"
    REDRIVEN = "redriven"
    RETRIED = "retried"
    """Somebody let it have its next try at once."""
    EDITED = "edited"
    """Somebody changed what it says: `fields` names where, not what."""
    TURNED_BACK = "turned_back"
    DISCARDED = "discarded"
    CANCEL_ASKED = "cancel_asked"
    REFUND_ASKED = "refund_asked"
    """An operator has the money of a completed order given back."""
    DUPLICATE_DROPPED = "duplicate_dropped"
    RESENT = "resent"
    NOTED = "noted"
    """Something happened to the order beside its steps: `what` says it."""
    ERASED = "erased"
    """What its customer has said of themselves was taken out of it."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
