"""Every kind of database that we have behind the port."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conveyor.adapters.postgres import PostgresDatabase
from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.core.transaction import Database
from conveyor.testing.conformance.databases import DatabaseUnderTest


@dataclass(frozen=True)
class Place(DatabaseUnderTest):
    """SQLite or PostgreSQL: `kind` may end in `-inline` or `-pooled`."""

    kind: str
    url: str

    def open(self) -> Database:
        inline, pooled = self.kind.endswith("-inline"), self.kind.endswith("-pooled")
        return open_database(self.url, inline=inline, pooled=pooled)


def open_database(url: str, *, inline: bool, pooled: bool = False) -> Database:
    """Open `sqlite:///FILE` or `postgresql://...`."""
    if url.startswith("sqlite"):
        return SqliteDatabase(Path(url.removeprefix("sqlite:///")), inline=inline)
    return PostgresDatabase(url, inline=inline, pooled=pooled)
