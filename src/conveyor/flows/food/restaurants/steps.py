"""The steps of restaurants: ask one, await its answer, and take the order back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conveyor.core.order import Order
from conveyor.core.outcome import Awaiting, Done, Outcome, Refused, TurnedAway
from conveyor.core.rfc3339 import iso
from conveyor.core.step import Answer, LocalStep, Now, StepHandler
from conveyor.core.transaction import Tx
from conveyor.flows.food.restaurants import store
from conveyor.flows.food.restaurants.model import (
    ANSWER_SECONDS,
    Meal,
    Restaurant,
    Ticket,
    TicketState,
)

CONFIRM = "restaurants.confirm"
KITCHEN_FULL = "kitchen_full"
CANCELLED = "cancelled by the customer"


class Confirm(LocalStep):
    """Asks the order's restaurant, and awaits that it accepts or rejects."""

    def __init__(self, seconds: float = ANSWER_SECONDS) -> None:
        """`seconds` is the time that a restaurant has to answer."""
        super().__init__(self._ask)
        self._seconds = seconds

    def gather(self, tx: Tx, orders: Sequence[Order]) -> None:
        """Lock the restaurants: under its lock a kitchen's limit holds."""
        store.gather(tx, [(order.merchant, name_of(order)) for order in orders])

    def answered(self, tx: Tx, order: Order, answer: Answer, now: Now) -> Outcome | TurnedAway:
        """Take `{"minutes": ...}` to accept, or `{"reject": True, "reason": ...}`."""
        name = name_of(order)
        if "reject" in answer:
            reason = str(answer["reason"])
            store.reject(tx, order.id, reason, now.ms)
            return Refused(f"the restaurant rejected it: {reason}", {"restaurant": name})
        restaurant = store.find(tx, order.merchant, name)
        if restaurant is None or _full(tx, restaurant):
            return TurnedAway(KITCHEN_FULL)
        minutes = int(answer["minutes"])
        store.accept(tx, order.id, minutes, now.ms)
        ready = iso(now.ms + minutes * 60_000)
        return Done({"restaurant": name, "minutes": minutes, "ready_by": ready})

    def overdue(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """Nobody answered: that is a no."""
        store.end(tx, order.id, TicketState.LAPSED, "no answer in time")
        return Refused("the restaurant did not answer in time", {"restaurant": name_of(order)})

    def _ask(self, tx: Tx, order: Order, now: Now) -> Outcome:
        name = name_of(order)
        restaurant = store.find(tx, order.merchant, name)
        if restaurant is None:
            return Refused(f"unknown restaurant: {name}")
        if not restaurant.is_open(now.ms):
            return Refused(f"{name} is closed")
        if _full(tx, restaurant):
            return Refused(f"{name} has too much to prepare")
        store.ask(tx, Ticket(order.id, order.merchant, name, TicketState.ASKED, now.ms))
        return Awaiting("the restaurant's answer", self._seconds, {"restaurant": name})


def withdraw(tx: Tx, order: Order, now: Now) -> Outcome:
    """Compensate `confirm`: the restaurant is told why; what is collected has left it."""
    reason = order.reason or CANCELLED
    if not store.end(tx, order.id, TicketState.WITHDRAWN, reason):
        return Done({"nothing_to": "withdraw"})
    return Done({"restaurant": name_of(order)})


def name_of(order: Order) -> str:
    """Name the restaurant of an order; '' for none."""
    return order.body_as(Meal).restaurant


def _full(tx: Tx, restaurant: Restaurant) -> bool:
    return store.preparing(tx, restaurant) >= restaurant.max_preparing


def restaurant_steps(seconds: float = ANSWER_SECONDS) -> Mapping[str, StepHandler]:
    """Give the steps of this service; `seconds` is the time that a restaurant has to answer."""
    return {CONFIRM: Confirm(seconds), "restaurants.withdraw": LocalStep(withdraw)}
