"""Brings a database to the tables that this code expects.

Alembic, and the services' tables, are imported only when there is something to do: a start with a
database that is up to date must be quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from conveyor.core.errors import ConveyorError
from conveyor.core.transaction import Database, Tx


@dataclass(frozen=True, slots=True)
class Revisions:
    """Revisions that follow one another: ours, or those of a package that extends us.

    `versions` is the directory of their files, each named `NUMBER_what_it_does.py`.
    """

    of: str
    versions: Path
    version_table: str

    @property
    def numbers(self) -> list[str]:
        """Give all of them, oldest first: the numbers of the files."""
        return sorted(it.name.partition("_")[0] for it in self.versions.glob("[0-9]*.py"))

    @property
    def head(self) -> str:
        """Give the newest revision; '' where there is none."""
        return max(self.numbers, default="")


OURS = Revisions("Conveyor", Path(__file__).with_name("versions"), "alembic_version")
HEAD = OURS.head


class UnknownRevisionError(ConveyorError):
    """The database is newer than this code, which must not touch it."""

    def __init__(self, revision: str, of: str) -> None:
        super().__init__(
            f"the database is at revision {revision}, which this version of {of} does not "
            "know: run the version that migrated it, or a newer one"
        )
        self.revision = revision
        self.of = of


async def current_revision(database: Database, revisions: Revisions = OURS) -> str | None:
    """Give the revision that the database is at; None: it was never migrated."""
    return await database.read(lambda tx: revision_of(tx, revisions))


async def is_current(database: Database, revisions: Revisions = OURS) -> bool:
    """Whether there is nothing to migrate."""
    return await current_revision(database, revisions) == revisions.head


async def migrate(database: Database, revisions: Revisions = OURS) -> list[str]:
    """Bring the database to the newest revision in one transaction; gives those applied, in order.

    Several processes may do this at once: one works, the others wait. Raises
    `UnknownRevisionError` when the database is newer than this code.
    """
    if await is_current(database, revisions):
        return []
    from conveyor.adapters.migrations.upgrade import upgrade

    return await database.run(lambda tx: upgrade(tx, revisions))


def revision_of(tx: Tx, revisions: Revisions = OURS) -> str | None:
    """Read what Alembic recorded."""
    if not sa.inspect(tx.connection).has_table(revisions.version_table):
        return None
    recorded = sa.table(revisions.version_table, sa.column("version_num"))
    revision: str | None = tx.execute(sa.select(recorded.c.version_num)).scalar()
    return revision


def record_head(tx: Tx, revisions: Revisions) -> None:
    """Record what Alembic would, of tables that were made as the newest revision has them."""
    name = revisions.version_table
    table = sa.Table(
        name,
        sa.MetaData(),
        sa.Column("version_num", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("version_num", name=f"{name}_pkc"),
    )
    table.create(tx.connection)
    tx.execute(table.insert().values(version_num=revisions.head))
