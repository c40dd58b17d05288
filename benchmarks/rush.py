"""A rush on few flights: many producers want more seats than there are.

    python -m benchmarks.rush RECORDS REQUESTS FLIGHTS PRODUCERS NUMBER
    python -m benchmarks.rush RECORDS REQUESTS FLIGHTS PRODUCERS all

The first is one producer of an installation that has services of its own; the second runs all
producers and all services in this one process, until every request is settled. Run again after a
kill, either goes on where it was. Each request that was answered becomes a line of RECORDS.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from conveyor.commerce.orders.placement import Overloaded, Placed
from conveyor.core.tables import orders
from conveyor.flows.travel.body import TravelBody
from conveyor.flows.travel.bookings.granting import offer
from conveyor.flows.travel.bookings.model import Offer
from conveyor.flows.travel.extension import booking_terms
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.opening import open_app, running_app

MERCHANT = "default"
DATE = "2013-01-01"
ALL = "all"
WINDOW = 50
"""Requests that one producer has under way at a time."""
SEATS_A_FLIGHT = 100
PRICE = 14_900
PAUSE_SECONDS = 0.2
FLIGHTS_SEED = 2013

_OPEN = sa.select(sa.func.count()).select_from(orders).where(orders.c.settled_at.is_(None))


@dataclass(frozen=True)
class Rush:
    """How many requests there are for how many flights, and by how many producers."""

    requests: int
    flights: int
    producers: int

    def flight_of(self, number: int) -> str:
        """Name the flight that a request is for: some are wanted more than others."""
        return f"R{random.Random(FLIGHTS_SEED + number).randrange(self.flights):03d}"

    def share_of(self, producer: int) -> range:
        """Give the numbers of a producer's requests."""
        return range(producer, self.requests, self.producers)

    def offers(self) -> list[Offer]:
        """Give the flights."""
        names = (f"R{number:03d}" for number in range(self.flights))
        return [Offer(f"flight/{name}/{DATE}", SEATS_A_FLIGHT) for name in names]


class Producer:
    """Places its share of the requests, many at a time, and writes down what was answered."""

    def __init__(self, app: App, rush: Rush, number: int, records: Path) -> None:
        self._app = app
        self._rush = rush
        self._numbers: Iterator[int] = iter(rush.share_of(number))
        self._records = records

    async def run(self) -> None:
        """Place all of them."""
        with self._records.open("a", encoding="ascii") as file:
            await asyncio.gather(*(self._place_some(file) for _ in range(WINDOW)))

    async def _place_some(self, file: Any) -> None:  # noqa: ANN401 - a text file
        for number in self._numbers:
            asked = time.monotonic_ns()
            placed = await self._place(number)
            answered = time.monotonic_ns()
            if not placed.again:  # else it was answered before a kill, or the answer was lost
                file.write(json.dumps([placed.order_id, asked, answered]) + "\n")
                file.flush()

    async def _place(self, number: int) -> Placed:
        body = TravelBody.model_validate(
            {
                "reference": str(number),
                "customer": {"id": f"C{number}"},
                "currency": "USD",
                "legs": [{"flight": self._rush.flight_of(number), "date": DATE}],
                "total": PRICE,
                "payment": {"method": "card_ok"},
            }
        )
        while True:
            answer = await self._app.placement.place(MERCHANT, f"rush-{number}", body)
            if isinstance(answer, Placed):
                return answer
            assert isinstance(answer, Overloaded), answer
            await asyncio.sleep(PAUSE_SECONDS)


async def set_up(app: App, rush: Rush) -> None:
    """Offer the flights; harmless when they are offered already."""
    terms, now = booking_terms(app.settings), app.engine.now()
    refused = await app.parts.database.run(
        lambda tx: offer(tx, MERCHANT, rush.offers(), terms, now.ms)
    )
    assert not refused


async def count_open(app: App) -> int:
    """Count the requests that are not settled."""
    count: int = await app.parts.database.read(lambda tx: tx.execute(_OPEN).scalar_one())
    return count


async def _produce(rush: Rush, records: Path, number: int) -> None:
    app = await open_app(Settings())
    try:
        await Producer(app, rush, number, records).run()
        await app.placement.settle()
    finally:
        await app.close()


async def _run_all(rush: Rush, records: Path) -> None:
    async with running_app(Settings()) as app:
        await set_up(app, rush)
        producers = range(rush.producers)
        await asyncio.gather(*(Producer(app, rush, n, records).run() for n in producers))
        while await count_open(app):  # noqa: ASYNC110 - what settles them may be another process
            await asyncio.sleep(PAUSE_SECONDS)


def main() -> None:
    """See above."""
    records, requests, flights, producers, which = sys.argv[1:]
    rush = Rush(int(requests), int(flights), int(producers))
    if which == ALL:
        asyncio.run(_run_all(rush, Path(records)))
    else:
        asyncio.run(_produce(rush, Path(records), int(which)))


if __name__ == "__main__":
    main()
