"""Whether a database that has become large slows the system down: in turns with a small one."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from benchmarks.cdnow import write_orders
from benchmarks.deployment import Deployment
from benchmarks.section import Section, at_least
from benchmarks.servers import Servers
from benchmarks.settled_rows import multiply
from benchmarks.sizes import Sizes

from conveyor.adapters.postgres.creation import beside

ORIGINALS = 1_000
"""Orders that are really placed, and then copied."""
SHARE = 0.8
FILES = ("conveyor.db", "provider.db", "carrier.db")


def compare_settled(servers: Servers, sizes: Sizes) -> Section:
    """Replay beside few and beside many settled orders, on both databases."""
    rows, targets, runs = [], [], {}
    for name in ("SQLite", "PostgreSQL"):
        few, many = _rates(servers, sizes, on_postgres=name == "PostgreSQL")
        runs[name] = {"few": few, "many": many}
        for count, rates in ((sizes.settled_few, few), (sizes.settled_many, many)):
            shown = " ".join(f"{rate:,.0f}" for rate in rates)
            rows.append((name, f"{count:,}", shown, f"{median(rates):,.0f}"))
        says = f"{name}: rate beside {sizes.settled_many:,} : {sizes.settled_few:,}"
        targets.append(at_least(says, median(many) / median(few), SHARE))
    note = (
        f"The settled orders are copies of {ORIGINALS:,} that the system itself placed and settled,"
        " in all their tables, with ids and times of their own."
    )
    columns = ("database", "settled orders", "orders a second, by round", "median")
    return Section("Beside settled orders", columns, rows, targets, [note], runs)


def _rates(servers: Servers, sizes: Sizes, *, on_postgres: bool) -> tuple[list[float], list[float]]:
    rates: tuple[list[float], list[float]] = ([], [])
    with ExitStack() as stack, TemporaryDirectory(prefix="conveyor-settled-") as name:
        home = Path(name)
        deployments = [
            stack.enter_context(filled(servers, home / str(count), count, on_postgres=on_postgres))
            for count in (sizes.settled_few, sizes.settled_many)
        ]
        for number in range(1, sizes.rounds + 1):
            first = number * sizes.beside_settled
            orders = write_orders(home / "orders.jsonl", sizes.beside_settled, first=first)
            for deployment, found in zip(deployments, rates, strict=True):
                os.sync()
                found.append(deployment.replay(orders)[0]["orders_per_second"])
        deployments[0].audit()  # the rows that were copied hold every invariant
    return rates


@contextmanager
def filled(servers: Servers, home: Path, count: int, *, on_postgres: bool) -> Iterator[Deployment]:
    """Give an installation with that many settled orders."""
    home.mkdir()
    with ExitStack() as stack:
        url = stack.enter_context(servers.database()) if on_postgres else ""
        deployment = Deployment(home / "data", url)
        deployment.prepare()
        deployment.replay(write_orders(home / "originals.jsonl", ORIGINALS))
        files = [f"sqlite:///{deployment.data / file}" for file in FILES]
        urls = [url, beside(url, "_simulated")] if url else files
        order_ids = _order_ids(urls[0])
        print(f"copying to {count:,} settled orders", file=sys.stderr)
        for each in urls:
            multiply(each, order_ids, count // ORIGINALS)
        yield deployment


def _order_ids(url: str) -> list[str]:
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        return list(connection.execute(sa.text("SELECT id FROM orders ORDER BY id")).scalars())
