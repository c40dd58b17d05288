"""The database that the tests are for, and the small table that they use."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.transaction import Database, PerDialect, Tx

counters = sa.Table(
    "counters",
    sa.MetaData(),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)
INSERT = counters.insert()
UPSERT = PerDialect(
    lambda insert: insert(counters).on_conflict_do_update(
        index_elements=["id"], set_={"value": sa.text("excluded.value")}
    )
)
FENCED = (
    counters.update()
    .where(counters.c.id == sa.bindparam("b_id"), counters.c.version == sa.bindparam("b_version"))
    .values(value=sa.bindparam("b_value"), version=counters.c.version + 1)
)


@dataclass(frozen=True)
class DatabaseUnderTest:
    """Where an empty database is kept, to be opened more than once; others can, once it is pickled.

    The tests make a table `counters` in it.
    """

    @abstractmethod
    def open(self) -> Database:
        """Open it. The caller closes it, in the loop that it was used in."""

    def play(self, *stories: Callable[[Database], Awaitable[None]]) -> None:
        """Tell each story to the database, opened anew."""
        for story in stories:
            asyncio.run(self._tell(story))

    async def _tell(self, story: Callable[[Database], Awaitable[None]]) -> None:
        database = self.open()
        try:
            await database.run(make_counters)
            await story(database)
        finally:
            await database.close()


def make_counters(tx: Tx) -> None:
    """Make the table, if it is not there."""
    counters.create(tx.connection, checkfirst=True)


def put(tx: Tx, name: str, value: int = 0) -> None:
    """Write one counter."""
    tx.execute(INSERT, {"id": name, "value": value, "version": 1})


def putting(name: str, value: int = 0) -> Callable[[Tx], None]:
    """Give the function that writes one counter."""
    return lambda tx: put(tx, name, value)


def values(tx: Tx) -> dict[str, int]:
    """Give all counters."""
    return {row.id: row.value for row in tx.execute(sa.select(counters).order_by("id"))}


def fenced(tx: Tx, name: str, version: int, value: int) -> None:
    """Write a counter later, if it is still at this version."""
    tx.later(FENCED, {"b_id": name, "b_version": version, "b_value": value}, must_match=True)
