"""Brings a database to the tables that this code expects."""

from __future__ import annotations

from conveyor.messaging.tables import metadata
from conveyor.messaging.transaction import Database


async def create_all(database: Database) -> None:
    """Create all tables that are missing, without recording a revision: for tests."""
    await database.run(lambda tx: metadata.create_all(tx.connection))
