"""DBOS: one workflow of five steps an order, on SQLite or PostgreSQL.

    python -m benchmarks.peers.dbos_peer --database sqlite:///FILE | postgresql://... [--orders N]

The database must be new. The clock runs from the first order's start to the last one's completion.

How DBOS is given its best, each choice measured on two cores:

- plain steps with a connection pool of our own; its datasource transactions, which check point in
  the step's own transaction, took half as long again;
- workflows started directly (durable once `start_workflow` returns): a queue adds a poll and a
  claim to each. Four at a time on PostgreSQL, one on SQLite, where more only wait for the lock;
- SQLite in WAL mode at `synchronous=FULL`, as Conveyor runs it. DBOS itself leaves SQLite's
  rollback journal on, which halves its rate: `--journal delete` measures that.
"""

import argparse
import sqlite3
import time
from collections.abc import Callable

import sqlalchemy as sa
from benchmarks.peers.five_steps import (
    COMPLETED,
    PLACE,
    STEPS,
    STOCK,
    TABLES,
    Order,
    articles,
    orders,
    report,
)
from dbos import DBOS, DBOSConfig

Step = Callable[[dict[str, object]], None]

POLL_SECONDS = 0.05
BUSY_MILLISECONDS = 30_000
# What DBOS needs beside its workflows, for recovery, queues and notifications.
SPARE_CONNECTIONS = 10


def main() -> None:
    """Run the peer once and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--database", required=True)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, help="default: 4, or 1 on SQLite")
    parser.add_argument("--journal", choices=["wal", "delete"], default="wal")
    options = parser.parse_args()
    on_sqlite = options.database.startswith("sqlite")
    concurrency = options.concurrency or (1 if on_sqlite else 4)
    if on_sqlite:
        _set_journal(options.database.removeprefix("sqlite:///"), options.journal)
    DBOS(config=_config(options.database, concurrency))
    engine = _engine(options.database, concurrency)
    placed = _prepare(engine, options.orders)
    seconds = _run(engine, placed)
    facts = {"journal": options.journal} if on_sqlite else {}
    report("dbos", len(placed), seconds, database=engine.name, concurrency=concurrency, **facts)


def _config(database: str, concurrency: int) -> DBOSConfig:
    return {
        "name": "five-steps",
        "system_database_url": database,
        "sys_db_pool_size": concurrency + SPARE_CONNECTIONS,
        "max_executor_threads": concurrency,
        "log_level": "ERROR",
    }


def _set_journal(file: str, mode: str) -> None:
    """Set the journal mode, which stays with the file; synchronous=FULL is SQLite's default."""
    connection = sqlite3.connect(file)
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.close()


def _engine(database: str, concurrency: int) -> sa.Engine:
    """Give the steps' own pool; on SQLite with DBOS's own settings for its connections."""
    url = sa.make_url(database)
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_size=concurrency + 1)
    engine = sa.create_engine(url, pool_size=concurrency + 1)

    @sa.event.listens_for(engine, "connect")
    def _write_at_once(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")

    return engine


def _prepare(engine: sa.Engine, count: int) -> list[Order]:
    placed = list(orders(count))
    with engine.begin() as connection:
        for table in TABLES:
            connection.execute(sa.text(table))
        connection.execute(sa.text(STOCK), articles())
        connection.execute(sa.text(PLACE), [order._asdict() for order in placed])
    return placed


def _run(engine: sa.Engine, placed: list[Order]) -> float:
    """Start a workflow for every order, wait until all are completed; give the seconds it took."""
    steps = [_step(engine, name, statement) for name, statement in STEPS.items()]

    @DBOS.workflow()
    def shop(order: Order) -> None:
        for step in steps:
            step(order._asdict())

    DBOS.launch()
    shop(Order("warm-up", "none", 0))
    started = time.monotonic()
    for order in placed:
        DBOS.start_workflow(shop, order)
    while _completed(engine) < len(placed):
        time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - started
    DBOS.destroy()
    return seconds


def _step(engine: sa.Engine, name: str, statement: str) -> Step:
    text = sa.text(statement)

    def step(parameters: dict[str, object]) -> None:
        with engine.begin() as connection:
            connection.execute(text, parameters)

    durable: Step = DBOS.step(name=name)(step)
    return durable


def _completed(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text(COMPLETED)).scalar_one())


if __name__ == "__main__":
    main()
