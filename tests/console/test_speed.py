"""Pages are there at once, however many orders there have been."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
import sqlalchemy as sa
from tests.api.serving import Server, order_of, place, wait_for
from tests.servers.memory import directory_in_memory

from conveyor.core.tables import orders, timeline
from conveyor.core.transaction import Tx

ORDERS = int(os.environ.get("CONSOLE_TEST_ORDERS", "100000"))
MEDIAN_SECONDS = 0.2
LOOKS = 9
EVENTS = 6
RECENT_MS = 6 * 3_600_000
"""All of them were placed within so long."""

_NUMBERS = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :many)"
_ID = "'01KDVX' || printf('%020d', n)"


@pytest.fixture(scope="module")
def crowded() -> Iterator[Server]:
    """A system that has settled so many orders, beside one that is open."""
    with directory_in_memory() as home, Server(home, ("orders", "payments")) as running:
        client = running.client()
        one = place(client, order_of(payment={"method": "card_declined"}))
        wait_for(client, one, "refused")
        running.run(running.app.engine.database.run(lambda tx: _multiply(tx, one)))
        place(client, order_of(reference="the newest"))
        yield running


def _multiply(tx: Tx, one: str) -> None:
    """Put down many orders like one that has settled, each with a story of its own."""
    at = f"placed_at - {RECENT_MS} * (:many - n) / :many"
    given = {"id": _ID, "placed_at": at, "updated_at": at, "settled_at": f"{at} + n % 5000"}
    given["customer"] = "'customer-' || (n % 1000)"
    columns = ", ".join(given.get(column.name, column.name) for column in orders.c)
    fill = f"{_NUMBERS} INSERT INTO orders SELECT {columns} FROM orders, n WHERE id = :one"  # noqa: S608 - of our own
    tx.connection.execute(sa.text(fill), {"many": ORDERS, "one": one})
    fields = {"id": "NULL", "order_id": _ID, "at": f"at - {RECENT_MS} * (:many - n) / :many"}
    told = ", ".join(fields.get(column.name, column.name) for column in timeline.c)
    story = f"{_NUMBERS} INSERT INTO timeline SELECT {told} FROM n, timeline WHERE order_id = :one"  # noqa: S608
    tx.connection.execute(sa.text(story), {"many": ORDERS, "one": one})


@pytest.mark.soak  # what it says holds of a machine that has nothing else to do
def test_pages_are_there_at_once(crowded: Server, visit: Callable[[], httpx.Client]) -> None:
    visitor = visit()
    visitor.base_url = httpx.URL(crowded.url)
    visitor.post("/console/sign-in", data={"key": crowded.local_key})
    newest = place(crowded.client())
    pages = (
        "/console",
        "/console/orders",
        "/console/orders?status=refused",
        "/console/orders?status=parked",
        "/console/orders?customer=customer-7",
        "/console/orders?reference=the%20newest",
        "/console/suggestions/reason",
        "/console/suggestions/sku?sku=C",
        "/console/dead-letters",
        "/console/owed",
        "/console/queues",
        f"/console/orders/{newest}",
        f"/console/orders/{newest}/cancel",
    )
    assert visitor.get(pages[4]).text.count("customer-7</td>") == 50
    medians = {it: statistics.median(_seconds(visitor, it) for _ in range(LOOKS)) for it in pages}
    slow = {path: seconds for path, seconds in medians.items() if seconds > MEDIAN_SECONDS}
    assert slow == {}


def _seconds(visitor: httpx.Client, path: str) -> float:
    begun = time.perf_counter()
    assert visitor.get(path).status_code == 200
    return time.perf_counter() - begun
