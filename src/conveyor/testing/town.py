"""What is there when a story begins, and what its customers order."""

from __future__ import annotations

from typing import Any

import orjson

from conveyor.core import outbox
from conveyor.core.placing import NewOrder, place
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Flow, Step
from conveyor.core.step import Now
from conveyor.core.transaction import Tx
from conveyor.flows.food.restaurants import store as restaurants
from conveyor.flows.food.restaurants.model import Restaurant
from conveyor.flows.food.riders import store as riders
from conveyor.flows.food.riders.model import Rider
from conveyor.flows.renewal.subscriptions import store as subscriptions
from conveyor.flows.renewal.subscriptions.model import Plan
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.flows.travel.bookings.granting import offer
from conveyor.flows.travel.bookings.model import Offer
from conveyor.flows.travel.extension import booking_terms
from conveyor.system.composition import App

MERCHANT = "default"
SKU = "CD"
PRICE = 1_177
DATE = "2026-07-01"
PLAN = Plan(MERCHANT, "monthly", 999, "USD")
KITCHENS = ("prompt", "prompt", "prompt", "slow", "refusing", "silent")
FLEETS = (
    ("prompt",),
    ("refusing", "prompt"),
    ("vanishing", "prompt"),
    ("silent", "prompt", "slow"),
    ("silent",),
    ("slow", "straying"),
)
GARBAGE = "garbage"
STRANGER = "stranger"
"""What the ids of orders begin with whose flow nobody knows."""
FOREIGN_FLOW = Flow("elsewhere", 1, (Step("payments.authorize"),), "payments.authorize")
DROP_OFF = {"latitude": 52.01, "longitude": 13.0}


def open_town(tx: Tx, app: App, shape: int, now: Now) -> None:
    """Put everything there that can be ordered; `shape` is a number that says how much of it."""
    set_stock(tx, MERCHANT, SKU, (2, 4, 20, 20)[shape % 4])
    kitchen = KITCHENS[shape % len(KITCHENS)]
    restaurants.put(tx, Restaurant(MERCHANT, "luigi", 52.0, 13.0, simulated=kitchen))
    for number, kind in enumerate(FLEETS[shape // 7 % len(FLEETS)]):
        north = 52.0 + (number + 1) / 1_000
        rider = Rider(
            MERCHANT, f"r{number}", north, 13.0, 10**15, capacity=1, load=0,
            heard_at=0, simulated=kind,
        )  # fmt: skip
        riders.put(tx, rider)
    seats = (1, 2, 3, 9)[shape // 3 % 4]
    offers = [Offer(f"flight/UA1/{DATE}", seats, 0), Offer(f"hotel/Astoria/{DATE}", seats + 1, 0)]
    offer(tx, MERCHANT, offers, booking_terms(app.settings), now.ms)
    subscriptions.set_plan(tx, PLAN)


def settle_strangers(tx: Tx, registry: Registry, name: str, count: int, long_ago: Now) -> None:
    """Put orders there whose flow nobody here knows: it was taken away, or is not there yet."""
    facts = {"flow": "shop", "n": name, "quantity": 1, "card": "card_ok"}
    body = orjson.dumps(body_of(facts) | {"flow": FOREIGN_FLOW.name, "reference": ""}).decode()
    for number in range(count):
        order_id = f"{name} {number:04}"
        new = NewOrder(order_id, MERCHANT, FOREIGN_FLOW, "", "c", "USD", PRICE, body)
        place(tx, registry, new, long_ago)
        outbox.clear(tx, order_id)  # its messages are lost


def body_of(facts: dict[str, Any]) -> dict[str, Any]:
    """Give the body of an order."""
    flow, quantity = facts["flow"], facts["quantity"]
    body: dict[str, Any] = {
        "flow": flow,
        "reference": f"n{facts['n']}",
        "customer": {"id": "c"},
        "currency": "USD",
        "payment": {"method": facts["card"]},
    }
    if flow == "shop":
        city = facts.get("city", "")
        body |= {"items": [{"sku": SKU, "quantity": quantity}], "total": PRICE * quantity}
        body["shipping"] = {"country": "XX"} if city == "XX" else {"country": "US", "city": city}
    elif flow == "food":
        body |= {"items": [{"sku": "PIZZA", "quantity": quantity, "unit_price": 1_250}]}
        body |= {"restaurant": "luigi", "drop_off": DROP_OFF}
    else:
        legs: list[dict[str, Any]] = [{"flight": "UA1", "date": DATE, "quantity": quantity}]
        legs += [{"hotel": "Astoria", "date": DATE, "quantity": quantity}][: facts["legs"] - 1]
        body |= {"legs": legs, "total": 14_900, "waitlist": facts["waits"]}
    return body
