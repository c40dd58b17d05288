"""The step of shipping: dispatch, await the delivery, and ask the carrier when it is overdue.

prepare -> call -> record -> awaits the delivery -> answered: done
             ^                      |
             +------ enquiry <------+ overdue     (after the last enquiry: parked)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conveyor.core.errors import NotAppliedError, UnansweredError
from conveyor.core.order import Order
from conveyor.core.outcome import Again, Awaiting, Done, Outcome, Park, Refused, TurnedAway
from conveyor.core.step import Answer, CallStep, Now, StepHandler
from conveyor.core.transaction import Tx
from conveyor.flows.shop.shipping import store
from conveyor.flows.shop.shipping.model import (
    DELIVERY_SECONDS,
    MAX_ENQUIRIES,
    Goods,
    Shipment,
    may_enquire,
)
from conveyor.flows.shop.shipping.ports import (
    ARRIVED,
    LOST,
    Carrier,
    CarrierAnswer,
    Dispatched,
    Parcel,
    Rejected,
)

SHIP = "shipping.ship"
NOT_ITS_PARCEL = "not_its_parcel"


@dataclass(frozen=True, slots=True)
class ShipRequest:
    """A parcel to dispatch, and what is known of an earlier dispatch; None for none."""

    parcel: Parcel
    earlier: Shipment | None


@dataclass(frozen=True, slots=True)
class Shipped:
    """The carrier's answer, and the key it belongs to: an enquiry's is that of the dispatch."""

    key: str
    answer: CarrierAnswer


class Ship(CallStep[ShipRequest, Shipped]):
    """Hands an order's goods to the carrier."""

    def __init__(
        self,
        carrier: Carrier,
        *,
        delivery_seconds: float = DELIVERY_SECONDS,
        max_enquiries: int = MAX_ENQUIRIES,
    ) -> None:
        """`delivery_seconds` is the time a delivery may take before the carrier is asked."""
        self._carrier = carrier
        self._delivery_seconds = delivery_seconds
        self._max_enquiries = max_enquiries

    def gather(self, tx: Tx, orders: Sequence[Order]) -> None:
        """Read the shipments of a group at once."""
        store.gather(tx, [order.id for order in orders])

    def prepare(self, tx: Tx, order: Order, now: Now) -> ShipRequest | Outcome:
        """Write the shipment with the intent, so that no confirmation can come before it."""
        shipment = store.shipment_of(tx, order.id)
        if shipment is None:
            store.note_request(tx, order.id, now.ms)
        taken = shipment if shipment and shipment.carrier_key else None
        goods = order.body_as(Goods)
        items = tuple((line.sku, line.quantity) for line in goods.items)
        replaces = taken.carrier_key if taken else ""
        return ShipRequest(Parcel(order.id, goods.shipping or {}, items, replaces), taken)

    async def call(self, request: ShipRequest, key: str) -> Shipped:
        """Dispatch; but ask first about an earlier dispatch, and replace only what is lost."""
        if request.earlier is not None:
            found = await self._enquire(request.earlier)
            if isinstance(found, Dispatched) and found.state != LOST:
                return Shipped(request.earlier.carrier_key, found)
        return Shipped(key, await self._carrier.dispatch(request.parcel, key))

    async def ask(self, request: ShipRequest, key: str) -> Shipped | None:
        """The key is all that the carrier needs."""
        answer = await self._carrier.status(key)
        return None if answer is None else Shipped(key, answer)

    def took_effect(self, answer: Shipped) -> bool:
        """A parcel that is rejected stays here."""
        return isinstance(answer.answer, Dispatched)

    def record(self, tx: Tx, order: Order, answer: Shipped, now: Now) -> Outcome:
        """Await the delivery, unless it is confirmed already."""
        taken = answer.answer
        if isinstance(taken, Rejected):
            store.note_rejection(tx, order.id, answer.key)
            return Refused(f"the carrier refused: {taken.reason}")
        before = store.shipment_of(tx, order.id)
        arrived = taken.state == ARRIVED
        store.note_dispatch(tx, order.id, answer.key, taken.tracking, now.ms if arrived else None)
        detail = {"tracking": taken.tracking}
        if arrived or (before and before.delivered and before.may_be(taken.tracking)):
            return Done(detail)
        return Awaiting("delivery", self._delivery_seconds, detail)

    def answered(self, tx: Tx, order: Order, answer: Answer, now: Now) -> Outcome | TurnedAway:
        """Take the carrier's confirmation of this very parcel: `Delivered.answer` of `messages`."""
        shipment, tracking = store.shipment_of(tx, order.id), str(answer["tracking"])
        if shipment and not shipment.may_be(tracking):
            return TurnedAway(NOT_ITS_PARCEL)
        store.note_delivery(tx, order.id, tracking, now.ms)
        return Done({"tracking": tracking})

    def overdue(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """Ask the carrier; after `max_enquiries` in vain, leave it to an operator."""
        shipment = store.shipment_of(tx, order.id)
        if shipment is None:
            return Again("nothing was dispatched")
        if shipment.delivered:
            return Done({"tracking": shipment.tracking})
        detail = {"tracking": shipment.tracking, "enquiries": shipment.enquiries}
        if may_enquire(shipment, self._max_enquiries):
            store.count_enquiries(tx, order.id, shipment.enquiries + 1)
            return Again("the delivery is overdue: asking the carrier", detail=detail)
        store.count_enquiries(tx, order.id, 0)  # a redrive starts afresh
        return Park("the carrier was asked and does not deliver", detail)

    async def _enquire(self, earlier: Shipment) -> CarrierAnswer | None:
        if earlier.delivered:
            return Dispatched(earlier.tracking, ARRIVED)
        try:
            return await self._carrier.status(earlier.carrier_key)
        except UnansweredError as error:  # asking changes nothing: never an unknown outcome
            raise NotAppliedError(f"the carrier did not say where it is: {error}") from error


def shipping_steps(
    carrier: Carrier,
    *,
    delivery_seconds: float = DELIVERY_SECONDS,
    max_enquiries: int = MAX_ENQUIRIES,
) -> Mapping[str, StepHandler]:
    """Give the steps of this service, calling `carrier`."""
    ship = Ship(carrier, delivery_seconds=delivery_seconds, max_enquiries=max_enquiries)
    return {SHIP: ship}
