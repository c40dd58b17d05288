"""The SQL of bookings.

Whoever changes a resource or one of its bookings holds the lock of the resource, until the
transaction ends. Both are read once in a transaction, changed in memory, and written at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from conveyor.core.gathered import Gathered, PerTransaction
from conveyor.core.order import Order, load_unheld
from conveyor.core.statements import one_of, pair_of
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert
from conveyor.flows.travel.bookings.model import Booking, BookingState, Offer, Resource
from conveyor.flows.travel.bookings.tables import bookings, is_held, is_waiting, resources

Key = tuple[str, str]
"""Merchant and name of a resource."""
_PAGE = 500
AFTER_ALL = "\U0010ffff"
"""No character comes after it."""

# In one order: two groups that want the same resources in different orders would else deadlock.
_LOCK = (
    sa.select(resources)
    .where(pair_of(resources.c.merchant, resources.c.name, "keys"))
    .order_by(resources.c.merchant, resources.c.name)
    .with_for_update()
)
_OF_ORDERS = sa.select(bookings).where(one_of(bookings.c.order_id, "orders"))
_WAITING_FOR = (
    sa.select(bookings)
    .where(
        bookings.c.merchant == sa.bindparam("of_merchant"),
        bookings.c.resource == sa.bindparam("of_resource"),
        is_waiting,
    )
    .order_by(bookings.c.number)
)
_EXPIRED = (
    sa.select(bookings)
    .where(is_held, bookings.c.until <= sa.bindparam("before"))
    .order_by(bookings.c.until)
    .limit(_PAGE)
)
_HELD_BEYOND = (
    sa.select(bookings).where(is_held, bookings.c.until > sa.bindparam("beyond")).limit(_PAGE)
)
_RENEW = (
    sa.update(bookings)
    .where(bookings.c.order_id == sa.bindparam("b_order_id"), is_held)
    .values(until=sa.bindparam("b_until"))
)
_CHANGES = ("state", "until", "changed_at", "again")
_SET = (
    sa.update(resources)
    .where(
        resources.c.merchant == sa.bindparam("b_merchant"),
        resources.c.name == sa.bindparam("b_name"),
    )
    .values({c: sa.bindparam(f"b_{c}") for c in ("held", "booked", "waiting", "asked")})
)


def _put(insert: DialectInsert) -> sa.Executable:
    row = insert(bookings)
    upsert: sa.Executable = row.on_conflict_do_update(
        index_elements=["order_id", "leg"], set_={name: row.excluded[name] for name in _CHANGES}
    )
    return upsert


_PUT = PerDialect(_put)


def _offer(insert: DialectInsert) -> sa.Executable:
    row = insert(resources).values(held=0, booked=0, waiting=0, asked=0)
    set_ = {name: row.excluded[name] for name in ("capacity", "overbooking", "description")}
    upsert: sa.Executable = row.on_conflict_do_update(
        index_elements=["merchant", "name"], set_=set_
    )
    return upsert


_OFFER = PerDialect(_offer)
_FIND = sa.select(resources).where(
    resources.c.merchant == sa.bindparam("of_merchant"), resources.c.name == sa.bindparam("of_name")
)
_LIST = (
    sa.select(resources)
    .where(
        resources.c.merchant == sa.bindparam("of_merchant"),
        resources.c.name.between(sa.bindparam("start"), sa.bindparam("end")),
        resources.c.name > sa.bindparam("after"),
    )
    .order_by(resources.c.name)
    .limit(sa.bindparam("page"))
)


def _lock(tx: Tx, keys: Sequence[Key]) -> dict[Key, Resource]:
    found = tx.execute(_LOCK, {"keys": sorted(keys)}).all()
    return {(row.merchant, row.name): Resource(*row) for row in found}


def _read(tx: Tx, ids: Sequence[str]) -> dict[str, dict[int, Booking]]:
    legs: dict[str, dict[int, Booking]] = {order_id: {} for order_id in ids}
    for row in tx.execute(_OF_ORDERS, {"orders": ids}).all():
        legs[row.order_id][row.leg] = Booking(*row)
    return legs


_RESOURCES = Gathered(_lock)
_BOOKINGS = Gathered(_read)


def gather(tx: Tx, keys: Iterable[Key], order_ids: Iterable[str]) -> None:
    """Lock and read these resources, and then read what these orders have of any."""
    _RESOURCES.gather(tx, keys)
    _BOOKINGS.gather(tx, order_ids)


def resource(tx: Tx, merchant: str, name: str) -> Resource | None:
    """Give a resource, locked until the transaction ends; None: there is no such."""
    return _RESOURCES.get(tx, (merchant, name))


def resource_of(tx: Tx, booking: Booking) -> Resource:
    """Give what a request is for, locked until the transaction ends."""
    found = resource(tx, booking.merchant, booking.resource)
    assert found is not None  # noqa: S101 - resources are never taken away
    return found


def bookings_of(tx: Tx, order_id: str) -> dict[int, Booking]:
    """Give what an order has asked for, by leg."""
    found = _BOOKINGS.get(tx, order_id)
    return {} if found is None else found


def waiting_for(tx: Tx, wanted: Resource) -> list[Booking]:
    """Give the requests that wait for a resource, the earliest first."""
    key = {"of_merchant": wanted.merchant, "of_resource": wanted.name}
    stored = {(row.order_id, row.leg): Booking(*row) for row in tx.execute(_WAITING_FOR, key).all()}
    # What this transaction has changed is not written yet.
    current = stored | {k: b for k, b in _DIRTY.of(tx)[1].items() if _is_for(b, wanted)}
    waiting = [booking for booking in current.values() if booking.state == BookingState.WAITING]
    return sorted(waiting, key=lambda booking: booking.number)


def expired(tx: Tx, now_ms: int) -> list[tuple[Order, Booking]]:
    """Give a page of the holds that have expired, each with its order; orders and resources locked.

    An order that somebody holds is left for the next time.
    """
    found = tx.execute(_EXPIRED, {"before": now_ms}).all()
    # Orders before resources, as whoever takes a step.
    mine = load_unheld(tx, {row.order_id for row in found})
    held = _held_by(tx, [row for row in found if row.order_id in mine])
    return [(mine[booking.order_id], booking) for booking in held if booking.until <= now_ms]


def held_beyond(tx: Tx, at_ms: int) -> list[Booking]:
    """Give a page of the holds that would expire later than this, their resources locked."""
    held = _held_by(tx, tx.execute(_HELD_BEYOND, {"beyond": at_ms}).all())
    return [booking for booking in held if booking.until > at_ms]


def _held_by(tx: Tx, found: Sequence[sa.Row[Any]]) -> list[Booking]:
    gather(tx, {(row.merchant, row.resource) for row in found}, {row.order_id for row in found})
    # Until the lock was ours they may have been booked or released.
    current = (bookings_of(tx, row.order_id)[row.leg] for row in found)
    return [booking for booking in current if booking.state == BookingState.HELD]


def keep(tx: Tx, changed: Resource, booking: Booking | None = None) -> None:
    """Write these at the end of the transaction, as they are by then."""
    dirty_resources, dirty_bookings = _DIRTY.of(tx)
    dirty_resources[changed.merchant, changed.name] = changed
    if booking is not None:
        dirty_bookings[booking.order_id, booking.leg] = booking
        bookings_of(tx, booking.order_id)[booking.leg] = booking


def set_up(tx: Tx, merchant: str, offers: Iterable[Offer]) -> list[Offer]:
    """Set capacity, overbooking and description of resources; gives those that cannot be.

    What is given away already must be within the new limit. When one is not, nothing is set.
    """
    latest = {offer.name: offer for offer in offers}
    gather(tx, [(merchant, name) for name in latest], ())
    found = {name: resource(tx, merchant, name) for name in latest}
    too_small = [
        offer
        for name, offer in latest.items()
        if (now := found[name]) and now.held + now.booked > offer.limit
    ]
    if latest and not too_small:
        rows = [asdict(offer) | {"merchant": merchant} for _, offer in sorted(latest.items())]
        tx.execute_all(_OFFER, rows)
        _RESOURCES.forget(tx, ((merchant, name) for name in latest))
    return too_small


def listing(tx: Tx, merchant: str, *, start: str, limit: int, cursor: str = "") -> list[Resource]:
    """Give up to `limit` resources whose names begin with `start`, after `cursor`, by name."""
    page = {"of_merchant": merchant, "start": start, "after": cursor, "page": limit}
    return [Resource(*row) for row in tx.execute(_LIST, page | {"end": start + AFTER_ALL}).all()]


def find(tx: Tx, merchant: str, name: str) -> Resource | None:
    """Give a resource without locking it."""
    row = tx.execute(_FIND, {"of_merchant": merchant, "of_name": name}).one_or_none()
    return Resource(*row) if row else None


def renew(tx: Tx, order_id: str, until: int) -> None:
    """Let all that is still held for an order expire then."""
    tx.later(_RENEW, {"b_order_id": order_id, "b_until": until})


Dirty = tuple[dict[Key, Resource], dict[tuple[str, int], Booking]]


def _clean(tx: Tx) -> Dirty:
    dirty: Dirty = ({}, {})
    tx.before_flush(lambda: _write(tx, dirty))
    return dirty


_DIRTY = PerTransaction(_clean)
"""What is to be written."""


def _write(tx: Tx, dirty: Dirty) -> None:
    changed, booked = dirty
    if changed:
        rows = [
            {f"b_{n}": v for n, v in asdict(r).items() if n in _COUNTED} for r in changed.values()
        ]
        tx.execute_all(_SET, rows)
    if booked:
        tx.execute_all(_PUT, [asdict(booking) for booking in booked.values()])


_COUNTED = ("merchant", "name", "held", "booked", "waiting", "asked")


def _is_for(booking: Booking, wanted: Resource) -> bool:
    return (booking.merchant, booking.resource) == (wanted.merchant, wanted.name)
