"""What the demonstration runs on: its settings, everything that is there, and its orders."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from heapq import merge
from pathlib import Path
from typing import Any

import orjson

from conveyor.adapters.private_files import make_private_directory, make_private_file
from conveyor.app.composition import App
from conveyor.app.demo.food import IMPATIENCE, meals, open_town
from conveyor.app.demo.renewal import are_renewing, have_begun, replace_cards, subscribe
from conveyor.app.demo.shop import fill_shelves, purchases
from conveyor.app.demo.travel import journeys, open_bookings
from conveyor.settings import DATABASE_FILE, EMBEDDED, Settings

ORDERS_FILE = "orders.jsonl"
IN_FLIGHT = 250
"""Orders under way at a time: few enough that one can watch them."""
LOOK_SECONDS = 0.2


def demo_settings(data: Path) -> Settings:
    """Embedded whatever the environment says, in a world that takes its time, but never minutes."""
    return Settings(
        data=data,
        database_url="",
        queue_url=EMBEDDED,
        webhook_url="",
        webhook_secret="",
        payment_latency_seconds=0.05,
        delivery_delay_seconds=1.5,
        booking_wait_seconds=5.0,
        renewal_scan_seconds=1.0,
        backoff_base_seconds=0.5,
        max_receives=4,
        **IMPATIENCE,
    )


def may_run_in(data: Path) -> bool:
    """Whether all that the directory holds is the demonstration's own, which goes on with it."""
    path = data / ORDERS_FILE
    return not (data / DATABASE_FILE).exists() or (path.exists() and path.read_bytes() == _orders())


async def set_up(app: App, merchant: str) -> None:
    """Make whatever can be ordered: goods, meals, journeys; and begin the subscriptions.

    That comes last and all at once: where there are some, everything is there.
    """
    if await have_begun(app, merchant):
        return
    await fill_shelves(app, merchant)
    await open_town(app, merchant)
    await open_bookings(app, merchant)
    await subscribe(app, merchant)


def write_orders(data: Path) -> Path:
    """Write the orders as `conveyor replay` takes them; gives the file."""
    make_private_directory(data)
    path = data / ORDERS_FILE
    make_private_file(path)
    path.write_bytes(_orders())
    return path


def _orders() -> bytes:
    flows = [list(purchases()), list(meals()), list(journeys())]
    return b"".join(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE) for body in _mixed(flows))


async def conclude(app: App, merchant: str) -> None:
    """Wait until the renewals are done; then some of the declined cards are replaced."""
    await _until_renewed(app)
    await replace_cards(app, merchant)
    await _until_renewed(app)


async def _until_renewed(app: App) -> None:
    while await are_renewing(app):  # noqa: ASYNC110 - what it waits for is in the database
        await asyncio.sleep(LOOK_SECONDS)


def _mixed(flows: Sequence[Sequence[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Give the orders of all flows so that all last equally long, whatever their number."""
    spread = (
        [(at / len(bodies), number, body) for at, body in enumerate(bodies)]
        for number, bodies in enumerate(flows)
    )
    return (body for _, _, body in merge(*spread, key=lambda one: one[:2]))
