"""The floor: the rows of a shop order written by hand, with no framework, in the same groups.

    python -m benchmarks.peers.raw_sql --database sqlite:///FILE | postgresql://... [--group 200]

The database must be new. The orders of a group go together through the transactions of an order's
life: one `executemany` a statement, one commit a transaction, as durable as Conveyor's own. With
`--one-commit` a group's whole life is a single transaction, which leaves the cost of the rows.
SQLite also carries the embedded queue's messages; with PostgreSQL, SQS does.
"""

# ruff: noqa: S608 - statements are put together here from constants of this module alone.

import argparse
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import cache
from itertools import chain

import psycopg
from benchmarks.peers.five_steps import COMPLETED, Order, articles, orders, report

Statements = tuple[str, ...]
Transactions = tuple[Statements, ...]
Parameters = list[dict[str, object]]
# Runs the statements for every order of a group in one durable transaction.
Commit = Callable[[Statements, Parameters], None]

# As long as the token that a message holds.
BODY = "x" * 250

TABLES = (
    """CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT NOT NULL, version BIGINT NOT NULL,
        total BIGINT NOT NULL, body TEXT NOT NULL)""",
    "CREATE TABLE idempotency (key TEXT PRIMARY KEY, digest TEXT NOT NULL, order_id TEXT NOT NULL)",
    """CREATE TABLE timeline (order_id TEXT, version BIGINT, event TEXT NOT NULL,
        PRIMARY KEY (order_id, version))""",
    "CREATE TABLE outbox (id TEXT PRIMARY KEY, due BIGINT NOT NULL, body TEXT NOT NULL)",
    "CREATE TABLE intents (key TEXT PRIMARY KEY, status TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE TABLE payments (id TEXT PRIMARY KEY, status TEXT NOT NULL, amount BIGINT NOT NULL)",
    "CREATE TABLE reservations (id TEXT PRIMARY KEY, sku TEXT NOT NULL, status TEXT NOT NULL)",
    "CREATE TABLE shipments (id TEXT PRIMARY KEY, status TEXT NOT NULL)",
    """CREATE TABLE stock (sku TEXT PRIMARY KEY, available BIGINT NOT NULL,
        reserved BIGINT NOT NULL, sold BIGINT NOT NULL)""",
    """CREATE TABLE messages (id TEXT PRIMARY KEY, visible BIGINT NOT NULL,
        receives BIGINT NOT NULL, body TEXT NOT NULL)""",
)
STOCK = "INSERT INTO stock VALUES (:sku, 1000000, 0, 0)"


def _timeline(version: int, event: str) -> str:
    return f"INSERT INTO timeline VALUES (:order, {version}, '{event}')"


def _advance(version: int, status: str) -> list[str]:
    """Move the order on by one version, with the timeline entry that says so."""
    move = f"UPDATE orders SET status = '{status}', version = {version}"
    return [
        f"{move} WHERE id = :order AND version = {version - 1}",
        _timeline(version, status),
    ]


def _owe(hop: int) -> str:
    return f"INSERT INTO outbox VALUES (:order || '-{hop}', 0, :body)"


def _relay(hop: int) -> list[str]:
    """Hand the message on: out of the outbox, into the queue, received by the next service."""
    return [
        f"INSERT INTO messages VALUES (:order || '-{hop}', 0, 0, :body)",
        f"DELETE FROM outbox WHERE id = :order || '-{hop}'",
        f"UPDATE messages SET visible = 30, receives = 1 WHERE id = :order || '-{hop}'",
    ]


def _acknowledge(hop: int) -> str:
    return f"DELETE FROM messages WHERE id = :order || '-{hop}'"


def _intend(call: str) -> str:
    return f"INSERT INTO intents VALUES (:order || '-{call}', 'intended', :body)"


def _resolve(call: str) -> str:
    return f"UPDATE intents SET status = 'done' WHERE key = :order || '-{call}'"


# The life of an order. Providers are called between two transactions, so payments take two each.
TRANSACTIONS: Transactions = (
    (
        "INSERT INTO orders VALUES (:order, 'placed', 1, :total, :body)",
        "INSERT INTO idempotency VALUES (:order, 'digest', :order)",
        _timeline(1, "placed"),
        _owe(1),
    ),
    (
        *_relay(1),
        _intend("authorize"),
        "INSERT INTO payments VALUES (:order, 'authorizing', :total)",
    ),
    (
        _resolve("authorize"),
        "UPDATE payments SET status = 'authorized' WHERE id = :order",
        *_advance(2, "authorized"),
        _owe(2),
        _acknowledge(1),
    ),
    (
        *_relay(2),
        "INSERT INTO reservations VALUES (:order, :sku, 'reserved')",
        """UPDATE stock SET available = available - 1, reserved = reserved + 1
            WHERE sku = :sku AND available > 0""",
        *_advance(3, "reserved"),
        _owe(3),
        _acknowledge(2),
    ),
    (*_relay(3), _intend("capture")),
    (
        _resolve("capture"),
        "UPDATE payments SET status = 'captured' WHERE id = :order",
        *_advance(4, "captured"),
        _owe(4),
        _acknowledge(3),
    ),
    (
        *_relay(4),
        "INSERT INTO shipments VALUES (:order, 'sent')",
        *_advance(5, "shipped"),
        _timeline(6, "awaiting"),
        _acknowledge(4),
    ),
    (
        "UPDATE shipments SET status = 'arrived' WHERE id = :order",
        "UPDATE reservations SET status = 'sold' WHERE id = :order",
        "UPDATE stock SET reserved = reserved - 1, sold = sold + 1 WHERE sku = :sku",
        _timeline(7, "arrived"),
        _owe(5),
    ),
    (
        *_relay(5),
        "UPDATE orders SET status = 'completed', version = 8 WHERE id = :order",
        _timeline(8, "completed"),
        _acknowledge(5),
    ),
)


def main() -> None:
    """Write the orders once and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--database", required=True)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--group", type=int, default=200)
    parser.add_argument("--one-commit", action="store_true", help="one a group, not one a step")
    options = parser.parse_args()
    placed = list(orders(options.orders))
    write = _write_sqlite if options.database.startswith("sqlite") else _write_postgres
    transactions = (tuple(chain(*TRANSACTIONS)),) if options.one_commit else TRANSACTIONS
    seconds = write(options.database, placed, options.group, transactions)
    report(
        "raw sql",
        len(placed),
        seconds,
        database=options.database.partition(":")[0],
        group=options.group,
        commits_per_group=len(transactions),
    )


def _write_sqlite(
    database: str, placed: list[Order], group: int, transactions: Transactions
) -> float:
    file = database.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        for table in TABLES:
            connection.execute(table)
        connection.executemany(STOCK, articles())

        def commit(statements: Statements, parameters: Parameters) -> None:
            connection.execute("BEGIN IMMEDIATE")
            for statement in statements:
                connection.executemany(statement, parameters)
            connection.execute("COMMIT")

        seconds = _timed(commit, placed, group, transactions)
        assert connection.execute(COMPLETED).fetchone() == (len(placed),)
        return seconds


def _write_postgres(
    database: str, placed: list[Order], group: int, transactions: Transactions
) -> float:
    with psycopg.connect(database, autocommit=True) as connection:
        cursor = connection.cursor()
        for table in TABLES:
            cursor.execute(table.encode())
        cursor.executemany(_psycopg(STOCK), articles())

        def commit(statements: Statements, parameters: Parameters) -> None:
            with connection.pipeline(), connection.transaction():
                for statement in statements:
                    cursor.executemany(_psycopg(statement), parameters)

        seconds = _timed(commit, placed, group, _without_queue(transactions))
        assert connection.execute(COMPLETED.encode()).fetchone() == (len(placed),)
        return seconds


def _without_queue(transactions: Transactions) -> Transactions:
    """Leave the messages to SQS."""
    return tuple(
        tuple(statement for statement in statements if " messages " not in statement)
        for statements in transactions
    )


@cache
def _psycopg(statement: str) -> bytes:
    return re.sub(r":(\w+)", r"%(\1)s", statement).encode()


def _timed(commit: Commit, placed: list[Order], group: int, transactions: Transactions) -> float:
    """Take group after group through all transactions; give the seconds it took."""
    started = time.monotonic()
    for first in range(0, len(placed), group):
        members = placed[first : first + group]
        parameters = [{**order._asdict(), "body": BODY} for order in members]
        for statements in transactions:
            commit(statements, parameters)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
