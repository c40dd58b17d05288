"""The steps of bookings: hold each leg, book what is paid for, release what is undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conveyor.core.order import Order
from conveyor.core.outcome import Awaiting, Done, Outcome, Park, Refused
from conveyor.core.step import LocalStep, Now, StepHandler
from conveyor.core.transaction import Tx
from conveyor.flows.travel.bookings import granting, store
from conveyor.flows.travel.bookings.model import (
    Booking,
    BookingState,
    Journey,
    Resource,
    Terms,
    said,
)

LATE = "no room is left since the hold expired"


class Hold(LocalStep):
    """Holds one leg. Its message group is the resource: requests are taken as they came.

    There is room                                   -> held: done
    there is none, and the order wants to wait      -> waiting: awaits a place, for a time
    there is none                                   -> refused
    """

    def __init__(self, terms: Terms) -> None:
        super().__init__(self.take, gather=gather)
        self._terms = terms

    def group(self, order: Order) -> str:
        """Give the resource of the leg whose turn it is."""
        return f"{order.merchant}/{order.body_as(Journey).legs[order.stage].wanted.resource}"

    def take(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """Hold the leg, wait for it, or be refused."""
        if order.stage in store.bookings_of(tx, order.id):
            return self.overdue(tx, order, now)  # it was parked while it waited
        journey = order.body_as(Journey)
        leg = journey.legs[order.stage].wanted
        resource = store.resource(tx, order.merchant, leg.resource)
        if resource is None:
            return Refused(f"unknown: {leg.resource}")
        booking = granting.ask(tx, order, resource, leg, now.ms)
        if resource.has_room(leg.quantity):
            granting.hold(tx, resource, booking, self._terms.held_until(now.ms), now.ms)
            return self._held(tx, booking)
        facts = {"wanted": leg.quantity, "free": resource.free, "waiting": resource.waiting}
        if journey.waitlist and leg.quantity <= resource.limit:
            granting.wait(tx, resource, booking, self._terms.waits_until(now.ms), now.ms)
            what = said(leg.resource, leg.quantity)
            return Awaiting(what, self._terms.wait_seconds, {"before": resource.waiting - 1})
        return Refused(f"full: {leg.resource}", facts)

    def overdue(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """See whether a place came free; if not, and it has waited long enough, refuse."""
        booking = store.bookings_of(tx, order.id)[order.stage]
        resource = store.resource_of(tx, booking)
        if booking.state == BookingState.HELD:
            # Whoever gave it the place did not hold the order: to wait for it could be a deadlock.
            what = f"a place came free: {said(booking.resource, booking.quantity)}"
            granting.note(tx, order, what, now.ms)
            return self._held(tx, booking)
        if booking.state == BookingState.EXPIRED and resource.has_room(booking.quantity):
            booking.again = True
            granting.hold(tx, resource, booking, self._terms.held_until(now.ms), now.ms)
            return self._held(tx, booking)
        if booking.state == BookingState.WAITING and now.ms < booking.until:
            booking.until = now.at_most(booking.until, self._terms.wait_seconds)
            store.keep(tx, resource, booking)
            what = said(booking.resource, booking.quantity)
            return Awaiting(what, (booking.until - now.ms) / 1000)
        granting.give_up(tx, booking, BookingState.REFUSED, self._terms, now.ms)
        return Refused(f"full: {booking.resource}", {"waited": "in vain"})

    def _held(self, tx: Tx, booking: Booking) -> Outcome:
        # The time to pay begins anew with each leg, and so with the last one for all of them.
        if booking.leg:
            store.renew(tx, booking.order_id, booking.until)
        return Done({"held": said(booking.resource, booking.quantity)})


class Confirm(LocalStep):
    """Books what is held, once it is paid for."""

    def __init__(self) -> None:
        super().__init__(self.take, gather=gather)

    def take(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """Book every leg; one whose hold has expired again, if there is room, else none at all."""
        mine = sorted(store.bookings_of(tx, order.id).items())
        found = [
            (b, store.resource_of(tx, b))
            for _, b in mine
            if b.state in {BookingState.HELD, BookingState.EXPIRED}
        ]
        if len(found) != len(order.body_as(Journey).legs):
            return Park("not every leg is held")
        late = [
            (booking, resource)
            for booking, resource in found
            if booking.state == BookingState.EXPIRED
        ]
        for name, (resource, quantity) in _added_up(late).items():
            if quantity > resource.free:
                return Refused(f"{LATE}: {name}", {"wanted": quantity, "free": resource.free})
        for booking, resource in found:
            granting.book(tx, resource, booking, now.ms)
        detail = {"booked": ", ".join(said(b.resource, b.quantity) for b, _ in found)}
        if late:
            detail["held_again"] = ", ".join(booking.resource for booking, _ in late)
        return Done(detail)


class Release(LocalStep):
    """Compensates holding and booking: all of it, the leg that was held last first."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(self.take, gather=gather)
        self._terms = terms

    def take(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """Give it back, and to those who wait. Harmless twice."""
        gather(tx, [order])
        had = granting.release(tx, order.id, self._terms, now.ms)
        given = ", ".join(said(booking.resource, booking.quantity) for booking in had)
        return Done({"released": given} if given else {})


def gather(tx: Tx, orders: Sequence[Order]) -> None:
    """Lock and read, once for a group and in one order, what its members want or have.

    Who has come in turn, to hold a leg, wants that leg's resource; others may touch all of theirs.
    """
    keys = set()
    for order in orders:
        legs = order.body_as(Journey).legs
        mine = legs[order.stage : order.stage + 1] if order.sequence else legs
        keys |= {(order.merchant, leg.wanted.resource) for leg in mine}
    store.gather(tx, keys, [order.id for order in orders])


def _added_up(late: Sequence[tuple[Booking, Resource]]) -> dict[str, tuple[Resource, int]]:
    needed: dict[str, tuple[Resource, int]] = {}
    for booking, resource in late:
        _, before = needed.get(resource.name, (resource, 0))
        needed[resource.name] = (resource, before + booking.quantity)
    return needed


def booking_steps(terms: Terms) -> Mapping[str, StepHandler]:
    """Give the steps of this service, on these terms."""
    return {
        "bookings.hold": Hold(terms),
        "bookings.confirm": Confirm(),
        "bookings.release": Release(terms),
    }
