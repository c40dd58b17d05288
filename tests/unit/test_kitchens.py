"""A kitchen's limit counts what that kitchen prepares, and what it says is in the story."""

from __future__ import annotations

from tests.unit.goods_driver import MERCHANT, NOW_MS, Books, insert_orders, order

from conveyor.core import timeline
from conveyor.core.step import Now
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.flows.food.restaurants import store
from conveyor.flows.food.restaurants.counter import note_ready
from conveyor.flows.food.restaurants.model import Restaurant, Ticket, TicketState

LUIGI = Restaurant(MERCHANT, "luigi", 52.0, 13.0)
NAMESAKE = Restaurant("another merchant", "luigi", 52.0, 13.0)
NEIGHBOUR = Restaurant(MERCHANT, "mario", 52.0, 13.0)


def test_a_kitchen_of_the_same_name_or_merchant_is_another(books: Books) -> None:
    def accept(tx: Tx) -> None:
        for restaurant in (LUIGI, NAMESAKE, NEIGHBOUR):
            store.put(tx, restaurant)
        for number in range(2):
            order_id = f"{number:026d}"
            store.ask(tx, Ticket(order_id, LUIGI.merchant, LUIGI.id, TicketState.ASKED, NOW_MS))
            store.accept(tx, order_id, 20, NOW_MS)

    books.run(accept)
    counted = [
        books.run(lambda tx, of=of: store.preparing(tx, of))  # type: ignore[misc]
        for of in (LUIGI, NAMESAKE, NEIGHBOUR)
    ]
    assert counted == [2, 0, 0]


def test_that_the_food_is_ready_is_told_once(books: Books) -> None:
    meal = order(1)

    def accept(tx: Tx) -> None:
        insert_orders(tx, [meal])
        store.ask(tx, Ticket(meal.id, LUIGI.merchant, LUIGI.id, TicketState.ASKED, NOW_MS))
        store.accept(tx, meal.id, 20, NOW_MS)

    books.run(accept)
    said = [books.run(lambda tx: note_ready(tx, meal.id, Now(NOW_MS))) for _ in range(2)]
    assert said == [True, False]
    [entry] = books.run(lambda tx: timeline.of_order(tx, meal.id))
    assert (entry.event, entry.version) == (TimelineEvent.NOTED, meal.version)
    assert "the food is ready" in entry.detail
