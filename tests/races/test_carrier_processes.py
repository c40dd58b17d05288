"""Several processes run the simulated carrier on one PostgreSQL: each arrival is told once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping

from tests.servers.postgres import Postgres
from tests.unit.goods_driver import ADDRESS

from conveyor.adapters.postgres import PostgresDatabase
from conveyor.core.ambient import Ambient
from conveyor.flows.shop.shipping.messages import Delivered, read_confirmation
from conveyor.flows.shop.shipping.ports import Dispatched, Parcel
from conveyor.flows.shop.shipping.webhooks import WebhookKey, write_secret
from conveyor.flows.shop.simulated.carrier import SimulatedCarrier

PROCESSES = 3
PARCELS = 600
GIVE_UP_SECONDS = 30
KEY = WebhookKey([write_secret(b"k" * 32)])


class RealClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


def test_each_arrival_is_told_by_one_process_alone(postgres: Postgres) -> None:
    url = postgres.fresh_database()
    heard: list[str] = []
    all_heard = asyncio.Event()

    async def post(_headers: Mapping[str, str], body: bytes) -> int:
        message = read_confirmation(body)
        assert isinstance(message, Delivered)
        heard.append(message.order_id)
        if len(set(heard)) == PARCELS:
            all_heard.set()
        return 200

    def process(number: int, database: PostgresDatabase) -> SimulatedCarrier:
        return SimulatedCarrier(
            database,
            Ambient(RealClock(), random.Random(number)),
            deliver_after_seconds=0.0,
            look_seconds=0.05,
        )

    async def main() -> None:
        databases = [PostgresDatabase(url, connections=2) for _ in range(PROCESSES)]
        carriers = [process(*numbered) for numbered in enumerate(databases)]
        await asyncio.gather(*(carrier.open() for carrier in carriers))
        stop = asyncio.Event()
        tasks = [asyncio.create_task(carrier.arrivals(KEY, post).run(stop)) for carrier in carriers]
        twice = await asyncio.gather(
            *(
                carriers[(number + again) % PROCESSES].dispatch(parcel(number), f"k{number}")
                for number in range(PARCELS)
                for again in range(2)
            )
        )
        await asyncio.wait_for(all_heard.wait(), GIVE_UP_SECONDS)
        stop.set()
        await asyncio.gather(*tasks)
        await asyncio.gather(*(database.close() for database in databases))
        assert len({one.tracking for one in twice if isinstance(one, Dispatched)}) == PARCELS

    asyncio.run(main())

    assert sorted(heard) == [parcel(number).order_id for number in range(PARCELS)]


def parcel(number: int) -> Parcel:
    return Parcel(f"{number:026d}", ADDRESS, (("CD", 1),))
