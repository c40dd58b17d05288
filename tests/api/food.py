"""What the tests of the food API share: a town whose people answer for themselves."""

from __future__ import annotations

from typing import Any

import httpx
from tests.api.serving import Server, place, wait_for
from tests.servers.waiting import wait_until

PLACE = {"latitude": 52.5, "longitude": 13.4}
SHIFT = "2100-01-01T00:00:00Z"


class Town:
    """A merchant of its own, with one restaurant and some riders."""

    def __init__(self, server: Server, merchant: str, *riders: str) -> None:
        self.server, self.merchant = server, merchant
        self.owner = server.client_of(merchant)
        assert self.owner.put("/v1/restaurants/luigi", json=PLACE).status_code == 200
        for name in riders:
            body = PLACE | {"shift_until": SHIFT}
            assert self.owner.put(f"/v1/riders/{name}", json=body).status_code == 200
        self.kitchen = self.key_of("restaurant", "luigi")
        self.riders = {name: self.key_of("rider", name) for name in riders}

    def key_of(self, scope: str, subject: str) -> httpx.Client:
        """Give a client whose key speaks for one restaurant or rider."""
        body = {"scopes": [scope], "subject": subject}
        return self.server.client(self.owner.post("/v1/keys", json=body).json()["key"])

    def order(self, **changes: Any) -> str:
        """Place an order and wait until the restaurant is asked."""
        order_id = place(self.owner, meal(**changes))
        self.at(order_id, "restaurants.confirm")
        return order_id

    def at(self, order_id: str, step: str) -> Any:
        """Wait until the order awaits an answer at this step."""
        return wait_until(
            lambda: self.owner.get(f"/v1/orders/{order_id}").json(),
            lambda order: order["status"] == "awaiting" and order["step"] == step,
        )

    def accept(self, order_id: str) -> None:
        """Let the restaurant accept, and wait until a rider is asked."""
        answer = self.kitchen.post(ticket(order_id, "accept"), json={"minutes": 10})
        assert answer.status_code == 202, answer.text
        self.at(order_id, "riders.assign")

    def say(self, rider: str, order_id: str, what: str) -> httpx.Response:
        """Let a rider say something about an order."""
        return self.riders[rider].post(f"/v1/riders/{rider}/offers/{order_id}/{what}")

    def ends(self, order_id: str, *statuses: str) -> Any:
        return wait_for(self.owner, order_id, *statuses)


def ticket(order_id: str, what: str) -> str:
    return f"/v1/restaurants/luigi/tickets/{order_id}/{what}"


def meal(**changes: Any) -> dict[str, Any]:
    """Give the body of an order."""
    return {
        "flow": "food",
        "customer": {"id": "00001"},
        "currency": "EUR",
        "items": [{"sku": "PIZZA", "quantity": 2, "unit_price": 1_250}],
        "payment": {"method": "card_ok"},
        "shipping": {"name": "A. Buyer", "line1": "1 Main Street"},
        "restaurant": "luigi",
        "drop_off": {"latitude": 52.51, "longitude": 13.41},
        **changes,
    }
