"""The invariants held against the files that a system with an embedded database has left.

    check_settled(directory)

An oracle apart from `audit`, for tests that let a system live on files of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from conveyor.testing.invariants.evidence import Posting, Row
from conveyor.testing.invariants.food import check_meals
from conveyor.testing.invariants.money import check_money
from conveyor.testing.invariants.orders import check_owed, check_story, check_versions
from conveyor.testing.invariants.renewal import check_periods
from conveyor.testing.invariants.shop import check_stock
from conveyor.testing.invariants.slips import Slips
from conveyor.testing.invariants.travel import check_seats
from conveyor.testing.virtual import BrokenInvariantError

OF_GOODS = (check_stock, check_meals, check_seats, check_periods)
_RECEIVED = "SELECT coalesce(sum(received), 0) FROM stock"


class Files:
    """What a system has left in its directory; see `Evidence`."""

    restored = False

    def __init__(self, ours: sqlite3.Connection, books: sqlite3.Connection, slips: Slips) -> None:
        self._ours, self._books = ours, books
        self.slips = slips
        self.broken: list[str] = []

    def rows(self, query: str, *values: object) -> list[Any]:
        """See `Evidence`."""
        return self._ours.execute(query, values).fetchall()

    def records(self, table: str) -> list[Row]:
        """See `Evidence`."""
        cursor = self._ours.execute(f"SELECT * FROM {table}")
        names = [name for name, *_ in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def postings(self) -> list[Posting]:
        """See `Evidence`."""
        query = "SELECT order_id, operation, amount FROM provider_operations WHERE approved"
        return [Posting(*row) for row in self._books.execute(query)]

    def lost_parcels(self) -> Collection[str]:
        """See `Evidence`: none, in these tests."""
        return ()

    def say(self, name: str, what: str) -> None:
        """See `Evidence`."""
        self.broken.append(f"{name}: {what}")


def check_settled(directory: Path, *, slips: Slips | None = None) -> None:
    """Once all orders have settled, hold everything against what is left.

    `slips` are those of packages that extend us, too. Raises `BrokenInvariantError`.
    """
    with _files(directory, slips) as left:
        rows = left.records("orders")
        for row in rows:
            for check in (check_versions, check_story, check_money):
                check(left, row)
        check_owed(left)
        for check_all in OF_GOODS:
            check_all(left, rows)


def check_goods(directory: Path) -> None:
    """While orders are on their way, hold what is ours to give against what was given.

    Raises `BrokenInvariantError`.
    """
    with _files(directory, None) as left:
        rows = left.records("orders")
        for check_all in OF_GOODS:
            check_all(left, rows)


def received(directory: Path) -> int:
    """Say how much was ever received into stock."""
    with _files(directory, None) as left:
        return int(left.rows(_RECEIVED)[0][0])


@contextmanager
def _files(directory: Path, slips: Slips | None) -> Iterator[Files]:
    """Open them; at the end, raise what was said of them."""
    with (
        closing(sqlite3.connect(directory / "conveyor.db")) as ours,
        closing(sqlite3.connect(directory / "provider.db")) as books,
    ):
        left = Files(ours, books, slips or Slips())
        yield left
    if left.broken:
        raise BrokenInvariantError("; ".join(left.broken))
