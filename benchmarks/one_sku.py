"""Many buyers of one SKU, and of many: how fast inventory reserves.

    python -m benchmarks.one_sku ready BUYERS ALL|HALF|NONE UNITS
    python -m benchmarks.one_sku reserve

The first places the orders and authorizes their payments, until all wait for inventory: all of them
for one SKU, or half, or none, and the others for a thousand others. The second runs nothing but
inventory, until none waits any more. Settings come from the environment.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import sqlalchemy as sa
from benchmarks.deployment import Deployment
from benchmarks.processes import run_module
from benchmarks.section import Section, at_least
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes

from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.orders.placement import Overloaded, Placed
from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import orders
from conveyor.flows.shop.inventory.store import import_stock, reservations
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.opening import running_app

MERCHANT = "default"
PRICE = 1_000
RESERVES = 1
"""Where `inventory.reserve` stands in the flow."""
AT_ONCE = 500
OTHERS = 1_000
ENOUGH = 1_000_000
EVERY = {"ALL": 1, "HALF": 2, "NONE": 0}
"""Of so many orders one is for the SKU that others want too."""
A_SECOND = 1_000
COLUMNS = ("who wants the SKU", "units of it", "buyers", "reserved", "seconds", "buyers/s")
LOOK_SECONDS = 0.05

_BEFORE = sa.select(sa.func.count()).select_from(orders).where(orders.c.position < RESERVES)
_WAITING = (
    sa.select(sa.func.count())
    .select_from(orders)
    .where(orders.c.position == RESERVES, orders.c.status == OrderStatus.PROCESSING)
)
_RESERVED = sa.select(sa.func.count()).select_from(reservations)


def measure_one_sku(servers: Servers, sizes: Sizes) -> Section:
    """Let them race on PostgreSQL: for a SKU that lasts, for one that does not, and for many."""
    count = sizes.one_sku
    runs = [
        _race(servers, count, who, units)
        for who, units in (("ALL", ENOUGH), ("ALL", count // 2), ("HALF", ENOUGH), ("NONE", ENOUGH))
    ]
    rows = [tuple(f"{it:,}" if isinstance(it, int) else it for it in run.values()) for run in runs]
    hot = runs[0]["buyers/s"]
    targets = [at_least("reservations a second of one SKU, on PostgreSQL", hot, A_SECOND)]
    note = "One process that runs inventory alone, and the embedded queue: all wait when it starts."
    return Section("One SKU that all want", COLUMNS, rows, targets, notes=[note], runs=runs)


def _race(servers: Servers, buyers: int, who: str, units: int) -> dict[str, Any]:
    with servers.database() as url, TemporaryDirectory(prefix="conveyor-sku-") as name:
        deployment = Deployment(Path(name), url)
        deployment.prepare()
        settings = deployment.settings
        run_module("benchmarks.one_sku", "ready", buyers, who, units, settings=settings)
        raced = run_module("benchmarks.one_sku", "reserve", settings=settings)
    wanted = 0 if not EVERY[who] else -(-buyers // EVERY[who])
    assert raced["reserved"] == buyers - max(0, wanted - units), "oversold, or not sold"
    seconds = raced["seconds"]
    figures = (who.lower(), units, buyers, raced["reserved"], round(seconds, 2))
    return dict(zip(COLUMNS, (*figures, round(buyers / seconds)), strict=True))


async def ready(buyers: int, who: str, units: int) -> None:
    """Place the orders, each of one unit, and authorize them; prints how many."""
    every = EVERY[who]
    levels = [("HOT", units), *((f"S{number}", ENOUGH) for number in range(OTHERS))]
    async with running_app(Settings(), {"payments"}) as app:
        await app.parts.database.run(lambda tx: import_stock(tx, MERCHANT, levels))
        for first in range(0, buyers, AT_ONCE):
            numbers = range(first, min(buyers, first + AT_ONCE))
            skus = ["HOT" if every and n % every == 0 else f"S{n % OTHERS}" for n in numbers]
            await asyncio.gather(*(_place(app, sku) for sku in skus))
        await _none(app, _BEFORE)
    print(orjson.dumps({"ready": buyers}).decode())


async def reserve() -> None:
    """Reserve for all that wait; prints how many were reserved, and in how many seconds."""
    async with running_app(Settings(), {"inventory"}) as app:
        begun = time.perf_counter()
        await _none(app, _WAITING)
        seconds = time.perf_counter() - begun
        reserved = await _count(app, _RESERVED)
    print(orjson.dumps({"seconds": seconds, "reserved": reserved}).decode())


async def _place(app: App, sku: str) -> None:
    body = OrderBody.model_validate(
        {
            "customer": {"id": "C1"},
            "currency": "USD",
            "items": [{"sku": sku, "quantity": 1}],
            "total": PRICE,
            "payment": {"method": "card_ok"},
            "shipping": {"country": "US"},
        }
    )
    while isinstance(answer := await app.placement.place(MERCHANT, "", body), Overloaded):  # noqa: ASYNC110 - answered anew
        await asyncio.sleep(LOOK_SECONDS)
    assert isinstance(answer, Placed), answer


async def _none(app: App, query: sa.Select[int]) -> None:
    while await _count(app, query):  # noqa: ASYNC110 - the database rings no bell
        await asyncio.sleep(LOOK_SECONDS)


async def _count(app: App, query: sa.Select[int]) -> int:
    count: int = await app.parts.database.read(lambda tx: tx.execute(query).scalar_one())
    return count


def main(arguments: Sequence[str]) -> None:
    """Do what was asked for."""
    match arguments:
        case ["ready", buyers, who, units]:
            asyncio.run(ready(int(buyers), who, int(units)))
        case ["reserve"]:
            asyncio.run(reserve())
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
