"""Bugs that only locks show: what is decided on is read before it is locked, or never is.

On an SQLite each transaction is whole, and none of them does any harm.
"""

from __future__ import annotations

from typing import Any

from conveyor.core import answers, interventions, recording_results, taking_tokens
from conveyor.flows.renewal.subscriptions import changes
from conveyor.flows.travel.bookings import store as bookings
from conveyor.testing.planted.planting import bug


def _unlocked(right: Any) -> Any:
    return lambda tx, ids, **_: right(tx, ids, lock=False)


def _read_then_locked(right: Any) -> Any:
    """As once: whoever gives a seat up reads what it has, and then waits for the seat's lock."""

    def gather(tx: Any, keys: Any, order_ids: Any) -> None:
        right(tx, (), order_ids)
        right(tx, keys, ())

    return gather


def _as_seen(_right: Any) -> Any:
    """As once: a subscription is changed as it was seen, whatever its renewal has made of it."""
    return lambda tx, seen: (seen, changes._open_renewal(tx, seen))


def _plainly(right: Any) -> Any:
    """Select the same, and lock nothing."""
    plain = right._clone()
    plain._for_update_arg = None
    return plain


ORDERS = tuple(
    (owner, "load", _unlocked)
    for owner in (answers, recording_results, taking_tokens, interventions)
)

BUGS = (
    bug("orders_unlocked", "a token is taken, and its order is not held", "shop", *ORDERS,
        rush=True),
    bug("orders_unlocked_travel", "the same, of a journey", "travel", *ORDERS, rush=True),
    bug("seats_unlocked", "a seat is given away without its lock", "travel",
        (bookings, "_LOCK", _plainly), rush=True),
    bug("seats_read_early", "who gives a seat up reads what it has before the lock", "travel",
        (bookings, "gather", _read_then_locked), rush=True),
    bug("card_read_early", "a subscription is changed as it was before its lock", "renewal",
        (changes, "_locked", _as_seen), rush=True),
)  # fmt: skip
