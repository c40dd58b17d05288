"""What is asked of the archive, on any database: orders of all flows, moved and told of."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import httpx
from tests.api.food import PLACE, SHIFT, meal
from tests.api.serving import order_of, paid_by, place, stock_up, wait_for
from tests.flows.travel_driver import flight, journey
from tests.servers.waiting import wait_until

CUSTOMER = "canary-customer"
MAIL = "canary.mail@example.com"
STREET = "Canary Street 17"


def orders_of_all_flows(client: httpx.Client) -> dict[str, str]:
    """Let orders of each flow come to their end, done and undone; gives their ids by a name."""
    stock_up(client)
    assert client.put("/v1/resources/flight/UA1545/2013-01-01", json={"capacity": 2}).is_success
    assert client.put("/v1/restaurants/luigi", json={**PLACE, "simulated": "prompt"}).is_success
    rider = {**PLACE, "shift_until": SHIFT, "simulated": "prompt"}
    assert client.put("/v1/riders/r1", json=rider).is_success
    hers = {
        "customer": {"id": CUSTOMER, "email": MAIL},
        "shipping": {"name": "A. Buyer", "line1": STREET, "country": "US"},
    }
    placed = {
        "bought": place(client, order_of(reference="bought", **hers), key="bought"),
        "declined": place(client, paid_by("card_declined"), key="declined"),
        "eaten": place(client, meal()),
        "flown": place(client, journey(flight(quantity=1))),
        "too late": place(client, journey(flight(quantity=2))),
    }
    for order_id in placed.values():
        wait_for(client, order_id, "completed", "refused")
    placed["stolen"] = subscribed(client, "stolen", "card_stolen")
    placed["renewed"] = subscribed(client, "s1", "card_ok")
    return placed


def subscribed(client: httpx.Client, name: str, card: str) -> str:
    """Let a subscription begin, which is paid or is not; gives its order."""
    plan = {"price": 999, "currency": "USD", "months": 1}
    assert client.put("/v1/plans/monthly", json=plan).is_success
    begun = {"id": name, "customer": f"c-{name}", "plan": "monthly", "card": card}
    assert client.post("/v1/subscriptions", json=begun).status_code == 201
    mine = wait_until(
        lambda: client.get("/v1/orders", params={"customer": f"c-{name}"}).json()["orders"],
        lambda found: found and found[0]["settled_at"] is not None,
    )
    order_id: str = mine[0]["id"]
    return order_id


def archive(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    """Archive a page of what has settled by now; gives what is said of it."""
    body = {"before": "2100-01-01", **asked}
    answer = client.post("/v1/archive", json=body)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def archive_all(client: httpx.Client, before: str, **asked: Any) -> list[dict[str, Any]]:
    """Archive page after page."""
    pages = [archive(client, before=before, **asked)]
    while pages[-1]["next"]:
        pages.append(archive(client, before=before, after=pages[-1]["next"], **asked))
    return pages


def files_of(directory: Path) -> str:
    """Give all that is in the files of an archive."""
    return "".join(gzip.decompress(it.read_bytes()).decode() for it in directory.glob("*.gz"))
