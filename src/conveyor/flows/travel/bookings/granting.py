"""Who gets a place: the earliest request that there is room for, and nobody before who waits."""

from __future__ import annotations

from collections.abc import Sequence

from conveyor.core import timeline
from conveyor.core.ambient import CLOCK_SLACK_MS
from conveyor.core.order import Order
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.timers import make_due_now
from conveyor.core.transaction import Tx
from conveyor.flows.travel.bookings import store
from conveyor.flows.travel.bookings.model import (
    Booking,
    BookingState,
    Offer,
    Resource,
    Terms,
    Wanted,
    said,
)


def ask(tx: Tx, order: Order, resource: Resource, wanted: Wanted, now_ms: int) -> Booking:
    """Number a request for a resource; it is refused until it is granted, or waits."""
    resource.asked += 1
    booking = Booking(
        order_id=order.id,
        leg=order.stage,
        merchant=resource.merchant,
        resource=resource.name,
        quantity=wanted.quantity,
        state=BookingState.REFUSED,
        number=resource.asked,
        turn=order.sequence,
        until=now_ms,
        changed_at=now_ms,
        again=False,
    )
    store.keep(tx, resource, booking)
    return booking


def hold(tx: Tx, resource: Resource, booking: Booking, until: int, now_ms: int) -> None:
    """Hold what is free for a request."""
    resource.held += booking.quantity
    _become(tx, resource, booking, BookingState.HELD, now_ms)
    booking.until = until


def wait(tx: Tx, resource: Resource, booking: Booking, until: int, now_ms: int) -> None:
    """Put a request at the end of the waiting list."""
    resource.waiting += 1
    _become(tx, resource, booking, BookingState.WAITING, now_ms)
    booking.until = until


def book(tx: Tx, resource: Resource, booking: Booking, now_ms: int) -> None:
    """Make a held place the order's own; one whose hold has expired is taken again."""
    if booking.state == BookingState.HELD:
        resource.held -= booking.quantity
    else:
        booking.again = True
    resource.booked += booking.quantity
    _become(tx, resource, booking, BookingState.BOOKED, now_ms)


def give_up(tx: Tx, booking: Booking, state: BookingState, terms: Terms, now_ms: int) -> None:
    """End a request in this state; what it had goes to those who wait."""
    resource = store.resource_of(tx, booking)
    if booking.state == BookingState.HELD:
        resource.held -= booking.quantity
    elif booking.state == BookingState.BOOKED:
        resource.booked -= booking.quantity
    elif booking.state == BookingState.WAITING:
        resource.waiting -= 1
    _become(tx, resource, booking, state, now_ms)
    promote(tx, resource, terms, now_ms)


def promote(tx: Tx, resource: Resource, terms: Terms, now_ms: int) -> None:
    """Hold what is free for those who wait, in order; the first that finds no room ends it."""
    if not resource.waiting or resource.free <= 0:
        return
    for booking in store.waiting_for(tx, resource):
        if booking.quantity > resource.free:
            return
        resource.waiting -= 1
        hold(tx, resource, booking, terms.held_until(now_ms), now_ms)
        make_due_now(tx, [booking.order_id], now_ms)


def expire(tx: Tx, terms: Terms, now_ms: int) -> int:
    """End a page of the holds that nobody paid for in time; gives how many."""
    late = store.expired(tx, now_ms)
    for order, booking in late:
        note(tx, order, f"the hold of {said(booking.resource, booking.quantity)} expired", now_ms)
        give_up(tx, booking, BookingState.EXPIRED, terms, now_ms)
    latest = terms.held_until(now_ms)
    for booking in store.held_beyond(tx, latest + CLOCK_SLACK_MS):
        # No hold lasts so long: a clock that was ahead has made it.
        booking.until = latest
        store.keep(tx, store.resource_of(tx, booking), booking)
    return len(late)


def offer(tx: Tx, merchant: str, offers: Sequence[Offer], terms: Terms, now_ms: int) -> list[Offer]:
    """Set what there is; gives the offers that are too small for what is given away already.

    When there is such a one, nothing is set. What there is more of goes to those who wait.
    """
    too_small = store.set_up(tx, merchant, offers)
    if not too_small:
        for name in sorted({one.name for one in offers}):
            resource = store.resource(tx, merchant, name)
            if resource:
                promote(tx, resource, terms, now_ms)
    return too_small


def release(tx: Tx, order_id: str, terms: Terms, now_ms: int) -> list[Booking]:
    """Give back all that an order has, the last leg first; gives what it had.

    Its resources are locked already: what it has is not known before.
    """
    mine = store.bookings_of(tx, order_id)
    had = [
        b
        for _, b in sorted(mine.items(), reverse=True)
        if b.state not in {BookingState.REFUSED, BookingState.RELEASED}
    ]
    for booking in had:
        give_up(tx, booking, BookingState.RELEASED, terms, now_ms)
    return had


def _become(tx: Tx, resource: Resource, booking: Booking, state: BookingState, now_ms: int) -> None:
    booking.state, booking.changed_at = state, now_ms
    store.keep(tx, resource, booking)


def note(tx: Tx, order: Order, what: str, now_ms: int) -> None:
    """Say something in the story of an order whose lock is held."""
    timeline.note(tx, order.id, order.version, now_ms, TimelineEvent.NOTED, detail={"what": what})
