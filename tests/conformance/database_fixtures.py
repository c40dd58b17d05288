"""Every kind of database behind the port, and the small table that the conformance tests use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from conveyor.adapters.postgres import PostgresDatabase
from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.core.transaction import Database, PerDialect, Tx

KINDS = ("sqlite", "sqlite-inline", "postgresql", "postgresql-inline", "postgresql-pooled")

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
class Place:
    """Where a database is kept, to be opened more than once."""

    kind: str
    url: str

    def open(self) -> Database:
        """Open it. The caller closes it, in the loop that it was used in."""
        kind = self.kind
        inline, pooled = kind.endswith("-inline"), kind.endswith("-pooled")
        return open_database(self.url, inline=inline, pooled=pooled)

    def play(self, *stories: Callable[[Database], Awaitable[None]]) -> None:
        """Tell each story to the database, opened anew."""
        for story in stories:
            asyncio.run(self._tell(story))

    async def _tell(self, story: Callable[[Database], Awaitable[None]]) -> None:
        database = self.open()
        try:
            await database.run(lambda tx: counters.create(tx.connection, checkfirst=True))
            await story(database)
        finally:
            await database.close()


def open_database(url: str, *, inline: bool, pooled: bool = False) -> Database:
    """Open `sqlite:///FILE` or `postgresql://...`."""
    if url.startswith("sqlite"):
        return SqliteDatabase(Path(url.removeprefix("sqlite:///")), inline=inline)
    return PostgresDatabase(url, inline=inline, pooled=pooled)


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
