"""Journeys in a storm of duplicates in no order, and with queues that lose everything."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.flows.machines import machine_of
from tests.flows.travel_driver import all_orders, flight, hotel, journey, place, set_up, settled

from conveyor.operations.audit import run_audit
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_settled
from conveyor.testing.storming import storming
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import Machine

METHODS = ("card_ok", "card_ok", "card_declined", "card_flaky")
JOURNEYS = 24
FLIGHTS = ("UA1545", "AA1141", "B6725")
SEATS = 5
ROOMS = 10


async def place_all(app: App) -> list[str]:
    await set_up(app, **dict.fromkeys(FLIGHTS, SEATS), Astoria=ROOMS)
    bodies = []
    for number in range(JOURNEYS):
        legs = [flight(FLIGHTS[number % len(FLIGHTS)], quantity=1 + number % 2)]
        if number % 5 == 0:
            legs.append(hotel(refundable=False))
        method, waits = METHODS[number % len(METHODS)], number % 7 == 0
        bodies.append(journey(*legs, method=method, waitlist=waits, reference=str(number)))
    return [await place(app, body, str(number)) for number, body in enumerate(bodies)]


def check(world: Machine) -> None:
    check_tokens(world.directory)
    check_settled(world.directory)


async def live(app: App) -> None:
    await settled(app, await place_all(app))
    await asyncio.sleep(60)
    report = await run_audit(app)
    assert report.clean, [finding for finding in report.findings if finding.violations]


def first_requests(directory: Path) -> list[Any]:
    """Who asked for which resource, in the order in which they were heard."""
    query = """
        SELECT bookings.resource, reference, leg FROM bookings
        JOIN orders ON orders.id = order_id WHERE turn > 0 ORDER BY bookings.resource, number
    """
    with closing(sqlite3.connect(directory / "conveyor.db")) as db:
        return db.execute(query).fetchall()


@pytest.mark.timeout(300)  # every message ten times, and all of it twice
def test_every_message_ten_times_in_no_order_ends_in_order(tmp_path: Path) -> None:
    calm, storm = (
        machine_of("travel", tmp_path / name, {"ride_on": False}) for name in ("calm", "storm")
    )
    storm.wrap_queues = storming

    async def stormy(app: App) -> None:
        await live(app)
        dropped = Counter[str]()
        for (what, queue), count in app.engine.tally.items():
            if queue == "bookings":
                dropped[what] += count
        assert dropped["stale"] > JOURNEYS
        assert dropped["held"] > 0

    calm.run(live)
    storm.run(stormy)
    check(calm)
    check(storm)
    of_flights = [
        [row for row in first_requests(world.directory) if row[0].startswith("flight/")]
        for world in (calm, storm)
    ]
    assert of_flights[0] == of_flights[1]
    for name in FLIGHTS:
        asked = [int(ref) for resource, ref, _ in of_flights[0] if f"/{name}/" in resource]
        assert asked == sorted(asked)


@pytest.mark.parametrize(
    "after_seconds", [1.5, *(pytest.param(it, marks=pytest.mark.soak) for it in (0.2, 3.0))]
)
def test_purging_every_queue_in_the_middle_loses_nobodys_turn(
    tmp_path: Path, after_seconds: float
) -> None:
    world = machine_of("travel", tmp_path, {"payment_latency_seconds": 1.0, "ride_on": False})

    async def life(app: App) -> None:
        placing = asyncio.ensure_future(place_all(app))
        await placing
        await asyncio.sleep(after_seconds)
        for name in app.installed.services:
            await app.parts.queues.queue(name).purge()
        late = [await place(app, journey(flight(name)), f"late-{name}") for name in FLIGHTS]
        await settled(app, late)
        await settled(app, [order.id for order in await all_orders(app)])
        await asyncio.sleep(60)

    world.run(life)
    check(world)
