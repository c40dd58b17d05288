"""Bugs of the services: what they hold, sell, give back, and are told."""

from __future__ import annotations

from typing import Any

from conveyor.commerce.payments import steps as payment_steps
from conveyor.core.outcome import Done
from conveyor.flows.food.restaurants import store as restaurants
from conveyor.flows.food.riders import steps as rider_steps
from conveyor.flows.renewal.subscriptions import renewals
from conveyor.flows.shop.inventory import store as inventory
from conveyor.flows.shop.shipping import steps as shipping_steps
from conveyor.flows.travel.bookings import granting
from conveyor.testing.planted.planting import always, bug, nothing


def _done_at_once(right: Any) -> Any:
    def record(self: Any, tx: Any, order: Any, answer: Any, now: Any) -> Any:
        right(self, tx, order, answer, now)
        return Done({})

    return record


def _not_counted(right: Any) -> Any:
    def hold(tx: Any, resource: Any, booking: Any, until: int, now_ms: int) -> None:
        held = resource.held
        right(tx, resource, booking, until, now_ms)
        resource.held = held

    return hold


BUGS = (
    bug("ship_is_done", "a parcel counts as arrived once it is taken", "shop",
        (shipping_steps.Ship, "record", _done_at_once)),
    bug("ship_twice", "an overdue parcel is sent again unasked", "shop",
        (shipping_steps.Ship, "_enquire", nothing)),
    bug("no_refund", "a refund is taken for done", "shop",
        (payment_steps, "refund_due", always(Done({"nothing_to": "refund"})))),
    bug("not_released", "what is reserved stays so when the order is undone", "shop",
        (inventory, "release", always(value=None))),
    bug("sold_unreserved", "what is sold stays reserved", "shop",
        (inventory, "sell", always(value=None))),
    bug("seats_never_given_up", "who gives up a seat does not let the next have it", "travel",
        (granting, "give_up", always(value=None))),
    bug("overbooked", "a seat is held whether or not there is one", "travel",
        (granting, "hold", _not_counted)),
    bug("seats_not_released", "a seat is kept by who was refused", "travel",
        (granting, "release", always(value=[]))),
    bug("rider_keeps", "a rider keeps the load of a cancelled meal", "food",
        (rider_steps, "withdraw", always(value=""))),
    bug("ticket_stays", "a restaurant is not told of a cancellation", "food",
        (restaurants, "end", always(value=True))),
    bug("not_extended", "a charged period is not extended", "renewal",
        (renewals, "change", always(value=None))),
)  # fmt: skip
