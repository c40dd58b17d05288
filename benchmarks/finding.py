"""How long a page of orders takes to be found, by each filter and each two, among a million."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.many_orders import A_DAY_MS, INCIDENT, REASON, fill, id_of, placed_at
from benchmarks.section import Section, at_most
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes

from conveyor.commerce.orders.order_filter import OrderFilter
from conveyor.commerce.orders.search import search
from conveyor.core.order_status import OrderStatus
from conveyor.core.routing_slip import Place
from conveyor.core.transaction import Database, Tx
from conveyor.settings import Settings
from conveyor.system.backends import open_database
from conveyor.system.installation import installation
from conveyor.system.tables import migrate_all

PAGE = 50
TRIES = 5
BOUND_MS = 50.0
SLOWEST = 8
"""Ways of asking that are shown for each database."""
PLACES = (("shop@1", Place(2)),)

Asked = dict[str, Any]


def alone(count: int) -> dict[str, Asked]:
    """Give each filter, of what is rare and of what is frequent."""
    middle, end = placed_at(count // 2), placed_at(count)
    return {
        "nothing": {},
        "id": {"id": id_of(count // 3)},
        "reference": {"reference": f"R{count // 3}"},
        "customer": {"customer": "c77"},
        "customer of many orders": {"customer": "house"},
        "e-mail": {"email": "buyer.C77@example.com"},
        "SKU": {"sku": "T77"},
        "SKU of a third of all": {"sku": "CD"},
        **{f"status {status}": {"status": status} for status in OrderStatus},
        "flow of a thousandth": {"flow": "renewal"},
        "flow of most": {"flow": "shop"},
        "step": {"step": "payments.capture"},
        "reason of one incident": {"reason": INCIDENT},
        "reason that is frequent": {"reason": REASON},
        "reason that is nobody's": {"reason": "nobody's"},
        "merchant of a thousandth": {"merchant": "small"},
        "placed, a day": {"placed_after": middle, "placed_before": middle + A_DAY_MS},
        "settled, an hour": {"settled_after": middle, "settled_before": middle + 3_600_000},
        "settled, all but an hour": {"settled_before": end - 3_600_000},
        "settled, of late": {"settled_after": end},
    }


def together(count: int) -> dict[str, Asked]:
    """Give each filter with each status, and with a flow that is rare, and one that is not."""
    statuses: list[Asked] = [{"status": status} for status in OrderStatus]
    both = {}
    for more in (*statuses, {"flow": "renewal"}, {"flow": "shop"}, {"merchant": "small"}):
        for name, asked in alone(count).items():
            if asked and not more.keys() & asked.keys():
                both[f"{name}, {' '.join(more.values())}"] = {**asked, **more}
    return both


def measure_finding(servers: Servers, sizes: Sizes) -> Section:
    """Ask a million orders everything, on both databases."""
    rows, targets, runs = [], [], {}
    for name in ("SQLite", "PostgreSQL"):
        with _filled(servers, sizes.found, on_postgres=name == "PostgreSQL") as url:
            found = asyncio.run(ask(url, alone(sizes.found) | together(sizes.found)))
        runs[name] = found
        slowest = sorted(found, key=found.__getitem__, reverse=True)
        rows += [(name, what, f"{found[what]:.1f}") for what in slowest[:SLOWEST]]
        rows.append(
            (name, f"the median of {len(found)} ways to ask", f"{median(found.values()):.1f}")
        )
        says = f"{name}: ms, the slowest page of {sizes.found:,} orders"
        targets.append(at_most(says, found[slowest[0]], BOUND_MS))
    note = (
        f"A page has {PAGE} orders; each was asked for {TRIES} times, of which this is the median."
    )
    columns = ("database", "asked for", "ms a page")
    return Section(f"Finding orders among {sizes.found:,}", columns, rows, targets, [note], runs)


@contextmanager
def _filled(servers: Servers, count: int, *, on_postgres: bool) -> Iterator[str]:
    with ExitStack() as stack:
        home = stack.enter_context(TemporaryDirectory(prefix="conveyor-finding-"))
        url = f"sqlite:///{Path(home) / 'conveyor.db'}"
        if on_postgres:
            url = stack.enter_context(servers.database())
        asyncio.run(_migrate(url))
        print(f"writing {count:,} orders", file=sys.stderr)
        fill(url, count)
        yield url


async def _migrate(url: str) -> None:
    database = _opened(url)
    await migrate_all(database, installation(Settings()))
    await database.close()


def _opened(url: str) -> Database:
    return open_database(Settings(database_url=url))


async def ask(url: str, ways: Mapping[str, Asked]) -> dict[str, float]:
    """Give the milliseconds that each takes."""
    database = _opened(url)
    found = {}
    for name, asked in ways.items():
        look = _looking_for(OrderFilter(**asked))
        took = []
        for _ in range(TRIES):
            begun = time.perf_counter()
            await database.read(look)
            took.append((time.perf_counter() - begun) * 1_000)
        found[name] = median(took)
    await database.close()
    return found


def _looking_for(wanted: OrderFilter) -> Callable[[Tx], object]:
    places = PLACES if wanted.step else ()
    return lambda tx: search(tx, wanted, sees=None, limit=PAGE, places=places)
