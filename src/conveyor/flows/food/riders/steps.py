"""The steps of riders: one offer after the other until one is accepted, then the ride.

assign:  offer -> accepted: done
           ^  |
           +--+ declined, or no answer in time      (nobody left: refused)

deliver: the pick-up -> the delivery: done
           |              | silent: parked, for an operator
           | silent, or given back
           +-> an offer to the next rider, as in assign, then the pick-up again
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conveyor.core import timeline
from conveyor.core.order import Order
from conveyor.core.outcome import Awaiting, Done, Outcome, Park, Refused, TurnedAway
from conveyor.core.step import Answer, LocalStep, Now, StepHandler
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.timers import make_due_now
from conveyor.core.transaction import Tx
from conveyor.flows.food.riders import store
from conveyor.flows.food.riders.model import (
    CIRCLES_METRES,
    DELIVER_IT,
    NEXT,
    OFFER_SECONDS,
    PICK_UP,
    SILENCE_SECONDS,
    Offer,
    OfferState,
    box_around,
    choose,
    new_offer,
)
from conveyor.flows.food.riders.ports import Kitchens

ASSIGN = "riders.assign"
DELIVER = "riders.deliver"

NOT_OFFERED = "not_offered"
NOT_NOW = "not_now"


class Assign(LocalStep):
    """Offers the order to one rider after the other, and awaits that one accepts."""

    def __init__(self, kitchens: Kitchens, offer_seconds: float) -> None:
        super().__init__(self.stand)
        self._kitchens = kitchens
        self._offer_seconds = offer_seconds

    def gather(self, tx: Tx, orders: Sequence[Order]) -> None:
        """Lock the fleets of the orders' merchants, and read the orders' offers once."""
        store.lock_fleets(tx, [order.merchant for order in orders])
        store.gather_offers(tx, [order.id for order in orders])

    def stand(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """Say what the order needs next, by the offer that stands. Also after a redrive."""
        offer = store.standing(tx, order.id)
        if offer is None:
            return self._offer(tx, order, now)
        if offer.state == OfferState.OPEN:
            return self._asking(offer, now)
        return self.ride(tx, order, offer)

    def ride(self, tx: Tx, order: Order, offer: Offer) -> Outcome:
        """Go on from an accepted offer."""
        return Done({"rider": offer.rider, "offer": offer.number})

    def answered(self, tx: Tx, order: Order, answer: Answer, now: Now) -> Outcome | TurnedAway:
        """Take `{"rider": id, "says": ...}`."""
        offer = store.standing(tx, order.id)
        if offer is None or offer.rider != answer["rider"]:
            return TurnedAway(NOT_OFFERED)
        to_state = NEXT.get((offer.state, answer["says"]))
        if to_state is None or not store.change(tx, offer, to_state, now.ms):
            return TurnedAway(NOT_NOW)
        self._tell(tx, order, now, offer, to_state)
        store.hear(tx, offer.merchant, offer.rider, now.ms)
        return self.stand(tx, order, now)

    def overdue(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """Pass an offer that nobody answered on to the next."""
        offer = store.standing(tx, order.id)
        if offer and offer.state == OfferState.OPEN:
            store.change(tx, offer, OfferState.LAPSED, now.ms)
            self._tell(tx, order, now, offer, OfferState.LAPSED)
        return self.stand(tx, order, now)

    def turned_back(self, tx: Tx, order: Order, now: Now) -> None:
        """Tell the rider, if there is one, that it is over."""
        withdraw(tx, order, now)

    def _offer(self, tx: Tx, order: Order, now: Now) -> Outcome:
        pickup = self._kitchens.pickup_of(tx, order)
        if pickup is None:
            return Refused("nobody knows where to pick it up")
        made = store.offers_of(tx, order.id)
        asked = {offer.rider for offer in made}
        answer_by = now.ms + round(self._offer_seconds * 1000)
        for circle in CIRCLES_METRES:
            free = store.free_in(tx, order.merchant, box_around(pickup, circle), now.ms)
            while choice := choose(free, pickup, asked, now.ms, (circle,)):
                offer = new_offer(order.id, choice, len(made) + 1, now.ms, answer_by)
                if store.make(tx, offer, now.ms):
                    return self._asking(offer, now)
                asked.add(choice.rider.id)
        return Refused("no rider is left to ask", {"riders_asked": len(made)})

    def _tell(self, tx: Tx, order: Order, now: Now, offer: Offer, state: OfferState) -> None:
        if phrase := _PHRASES.get(state):
            detail = {"what": f"rider {offer.rider} {phrase}"}
            timeline.note(tx, order.id, order.version, now.ms, TimelineEvent.NOTED, detail=detail)

    def _asking(self, offer: Offer, now: Now) -> Outcome:
        answer_by = now.at_most(offer.answer_by, self._offer_seconds)
        seconds = max(answer_by - now.ms, 0) / 1000
        detail = {"offer": offer.number, "metres": offer.metres}
        return Awaiting(f"an answer of rider {offer.rider}", seconds, detail)


class Deliver(Assign):
    """Awaits the pick-up and the delivery; a rider who goes silent before that is replaced."""

    def __init__(self, kitchens: Kitchens, offer_seconds: float, silence_seconds: float) -> None:
        super().__init__(kitchens, offer_seconds)
        self._silence_ms = round(silence_seconds * 1000)

    def has_begun(self, tx: Tx, order: Order) -> bool:
        """Cancelling is possible until the food is on its way."""
        offer = store.standing(tx, order.id)
        return offer is not None and offer.state in {OfferState.PICKED_UP, OfferState.DELIVERED}

    def has_happened(self, tx: Tx, order: Order) -> bool:
        """Whether the customer has it."""
        offer = store.standing(tx, order.id)
        return offer is not None and offer.state == OfferState.DELIVERED

    def ride(self, tx: Tx, order: Order, offer: Offer) -> Outcome:
        """Await what comes next of the rider."""
        if offer.state == OfferState.ACCEPTED:
            return self._awaiting("the pick-up", offer, self._silence_ms)
        self._kitchens.collected(tx, order)
        if offer.state == OfferState.PICKED_UP:
            return self._awaiting("the delivery", offer, self._silence_ms)
        return Done({"rider": offer.rider})

    def overdue(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """Wait on for whoever gives signs of life; replace who does not, or ask for help."""
        offer = store.standing(tx, order.id)
        if offer is None or offer.state not in {OfferState.ACCEPTED, OfferState.PICKED_UP}:
            return super().overdue(tx, order, now)
        heard_at = self._heard_at(tx, offer, now)
        left = min(heard_at + self._silence_ms - now.ms, self._silence_ms)
        picked_up = offer.state == OfferState.PICKED_UP
        if left > 0:
            return self._awaiting("the delivery" if picked_up else "the pick-up", offer, left)
        if picked_up:
            minutes = (now.ms - heard_at) // 60_000
            cause = f"rider {offer.rider} has the food, and is silent for {minutes} minutes"
            return Park(cause, {"rider": offer.rider})
        store.change(tx, offer, OfferState.LOST, now.ms)
        self._tell(tx, order, now, offer, OfferState.LOST)
        return self.stand(tx, order, now)

    def _heard_at(self, tx: Tx, offer: Offer, now: Now) -> int:
        rider = store.find(tx, offer.merchant, offer.rider)
        signs = [
            at for at in (offer.changed_at, rider.heard_at if rider else 0) if now.has_come(at)
        ]
        if not signs:
            # All are of a clock that was ahead, and nobody knows when that was: it counts from now.
            store.hear(tx, offer.merchant, offer.rider, now.ms)
            store.change(tx, offer, offer.state, now.ms)
        return max(signs, default=now.ms)

    def _awaiting(self, what: str, offer: Offer, milliseconds: int) -> Outcome:
        return Awaiting(f"{what} by rider {offer.rider}", milliseconds / 1000)


# What an order's story says of an offer that came to nothing.
_PHRASES = {
    OfferState.DECLINED: "declined",
    OfferState.LAPSED: "did not answer in time",
    OfferState.LOST: "is silent, and replaced",
}


def note(tx: Tx, order_id: str, rider: str, says: str, now: Now) -> bool:
    """Enter a pick-up or a delivery that comes while the order does not await it; False: it cannot.

    The order may be on its way to that step, or be parked: it finds the offer moved on.
    """
    offer = store.standing(tx, order_id)
    if offer is None or offer.rider != rider or says not in {PICK_UP, DELIVER_IT}:
        return False
    to_state = NEXT.get((offer.state, says))
    if to_state is None:
        return False
    store.lock_fleets(tx, [offer.merchant])
    make_due_now(tx, [order_id], now.ms)
    return store.change(tx, offer, to_state, now.ms)


def withdraw(tx: Tx, order: Order, now: Now) -> str:
    """Take the order from whoever is offered or carries it; gives the rider, '' for none."""
    offer = store.standing(tx, order.id)
    if offer is None or offer.state == OfferState.DELIVERED:
        return ""
    store.lock_fleets(tx, [offer.merchant])
    store.change(tx, offer, OfferState.WITHDRAWN, now.ms)
    return offer.rider


def release(tx: Tx, order: Order, now: Now) -> Outcome:
    """Compensate `assign`; mostly the rider was told when the order turned back."""
    rider = withdraw(tx, order, now)
    return Done({"rider": rider}) if rider else Done({"nothing_to": "release"})


def rider_steps(
    kitchens: Kitchens,
    offer_seconds: float = OFFER_SECONDS,
    silence_seconds: float = SILENCE_SECONDS,
) -> Mapping[str, StepHandler]:
    """Give the steps of this service.

    `offer_seconds` is the time that a rider has to answer, `silence_seconds` how long one with an
    order may be silent.
    """
    return {
        ASSIGN: Assign(kitchens, offer_seconds),
        "riders.release": LocalStep(release),
        DELIVER: Deliver(kitchens, offer_seconds, silence_seconds),
    }
