"""Brings a database to the tables that this code expects.

Alembic, and the services' tables, are imported only when there is something to do: a start with a
database that is up to date must be quick.
"""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.messaging.errors import ConveyorError
from conveyor.messaging.transaction import Database, Tx

HEAD = "0006"
"""The newest revision in `versions`."""


class UnknownRevisionError(ConveyorError):
    """The database is newer than this code, which must not touch it."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database is at revision {revision}, which this version of Conveyor does not "
            "know: run the version that migrated it, or a newer one"
        )
        self.revision = revision


async def current_revision(database: Database) -> str | None:
    """Give the revision that the database is at; None: it was never migrated."""
    return await database.read(revision_of)


async def is_current(database: Database) -> bool:
    """Whether there is nothing to migrate."""
    return await current_revision(database) == HEAD


async def migrate(database: Database) -> list[str]:
    """Bring the database to `HEAD` in one transaction; gives the revisions applied, oldest first.

    Several processes may do this at once: one works, the others wait. Raises
    `UnknownRevisionError` when the database is newer than this code.
    """
    if await is_current(database):
        return []
    from conveyor.adapters.migrations.upgrade import upgrade  # noqa: PLC0415 - Alembic is slow

    return await database.run(upgrade)


async def create_all(database: Database) -> None:
    """Create all tables that are missing, without recording a revision: for tests."""
    from conveyor.adapters.migrations.target import metadata  # noqa: PLC0415

    await database.run(lambda tx: metadata.create_all(tx.connection))


def revision_of(tx: Tx) -> str | None:
    """Read what Alembic recorded."""
    if not sa.inspect(tx.connection).has_table("alembic_version"):
        return None
    revision: str | None = tx.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return revision
