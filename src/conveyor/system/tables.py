"""All tables of a deployment: those that flows share, and those that each extension brings.

Each has revisions of its own, counted apart; an extension without any has its tables made where
they are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from conveyor.adapters.migrations import OURS, Revisions, migrate, record_head, revision_of
from conveyor.core.errors import ConveyorError
from conveyor.core.tables import MONTHLY, ONLY_ON, default_partition
from conveyor.core.transaction import Database, Tx
from conveyor.extension import Extension
from conveyor.system.extension_checks import ExtensionError
from conveyor.system.installation import Installation
from conveyor.system.months import make_months


class SchemaNotCurrentError(ConveyorError):
    """The database is not at the revision that this code needs; its operator decides when it is."""

    def __init__(self, revision: str | None, needed: str, of: str) -> None:
        at = f"at revision {revision}" if revision else "empty"
        whose = f", for {of}," if of != OURS.of else ""
        super().__init__(
            f"the database is{whose} {at}, this version needs {needed}: run `conveyor migrate`"
        )
        self.revision = revision
        self.needed = needed
        self.of = of


async def migrate_all(database: Database, installed: Installation) -> list[str]:
    """Make and change what is missing; gives the revisions applied, each with whose it is.

    Raises `ExtensionError`, and what `migrate` raises.
    """
    made_at_once = database.dialect == "sqlite" and await database.read(_is_empty)
    applied = await database.run(lambda tx: _make_at_once(tx, installed)) if made_at_once else []
    for revisions in revisions_of(installed):
        applied += _named(revisions, await migrate(database, revisions))
    await _make_missing(database, installed)
    if database.dialect == "postgresql":
        await make_months(database)
    return applied


def _named(revisions: Revisions, numbers: Iterable[str]) -> list[str]:
    whose = "" if revisions is OURS else f"{revisions.of} "
    return [f"{whose}{number}" for number in numbers]


def _is_empty(tx: Tx) -> bool:
    return not sa.inspect(tx.connection).get_table_names()


def _make_at_once(tx: Tx, installed: Installation) -> list[str]:
    """Make tables as they are declared, which is where the revisions lead, in a tenth of the time.

    Not those of other packages, whose revisions may do more than make tables.
    """
    ours = replace(
        installed, extensions=tuple(it for it in installed.extensions if it not in installed.added)
    )
    _create_all(tx, tuple(tables_of(ours)))
    made: list[str] = []
    for revisions in revisions_of(ours):
        record_head(tx, revisions)
        made += _named(revisions, revisions.numbers)
    return made


async def bring_up_to_date(database: Database, installed: Installation) -> None:
    """Migrate an embedded database. Raises `SchemaNotCurrentError` for another that is behind."""
    if database.dialect == "sqlite":
        await migrate_all(database, installed)
        return
    all_revisions = list(revisions_of(installed))
    at = await database.read(lambda tx: [revision_of(tx, it) for it in all_revisions])
    for revisions, revision in zip(all_revisions, at, strict=True):
        if revision != revisions.head:
            raise SchemaNotCurrentError(revision, revisions.head, revisions.of)
    await _make_missing(database, installed)


_STATEMENTS: dict[tuple[tuple[sa.MetaData, ...], str], tuple[str, ...]] = {}
"""What creates tables, by these and the dialect: tests create the same ones thousands of times."""


async def create_all(database: Database, installed: Installation) -> None:
    """Create all tables that are missing, recording no revision of ours: for tests."""
    declared = tuple(tables_of(installed))
    await database.run(lambda tx: _create_all(tx, declared))
    for extension in installed.added:
        if extension.migrations and extension.tables is None:
            await migrate(database, _revisions(extension))


def _create_all(tx: Tx, declared: tuple[sa.MetaData, ...]) -> None:
    dialect = tx.connection.dialect
    if (declared, dialect.name) not in _STATEMENTS:
        _STATEMENTS[declared, dialect.name] = _statements(declared, dialect)
    for statement in _STATEMENTS[declared, dialect.name]:
        tx.connection.exec_driver_sql(statement)


def _statements(declared: tuple[sa.MetaData, ...], dialect: sa.Dialect) -> tuple[str, ...]:
    made: list[sa.schema.ExecutableDDLElement] = []
    for table in (table for tables in declared for table in tables.sorted_tables):
        made.append(CreateTable(table, if_not_exists=True))
        here = [it for it in table.indexes if it.info.get(ONLY_ON, dialect.name) == dialect.name]
        indexes = sorted(here, key=lambda index: str(index.name))
        made += [CreateIndex(index, if_not_exists=True) for index in indexes]
    rest = map(default_partition, MONTHLY) if dialect.name == "postgresql" else ()
    return (*(str(it.compile(dialect=dialect)) for it in made), *rest)


def tables_of(installed: Installation) -> Iterator[sa.MetaData]:
    """Give the tables as the code declares them."""
    from conveyor.adapters.migrations.target import metadata

    yield metadata
    yield from (it.tables for it in installed.extensions if it.tables is not None)


def revisions_of(installed: Installation) -> Iterator[Revisions]:
    """Give all revisions, ours first. Raises `ExtensionError` where an extension has none."""
    yield OURS
    yield from (_revisions(it) for it in installed.extensions if it.migrations)


def _revisions(extension: Extension) -> Revisions:
    package, _, directory = extension.migrations.partition(":")
    try:
        versions = Path(str(files(package))) / directory
    except ModuleNotFoundError as error:
        cause = f"its migrations are in {package!r}, which is no package"
        raise ExtensionError(extension.name, cause) from error
    revisions = Revisions(extension.name, versions, f"alembic_version_{extension.name}")
    if not revisions.head:
        cause = f"its migrations are in {versions}, and there is no file named 0001_..."
        raise ExtensionError(extension.name, cause)
    return revisions


async def _make_missing(database: Database, installed: Installation) -> None:
    extensions = (it for it in installed.extensions if not it.migrations)
    declared = [it.tables for it in extensions if it.tables is not None]
    if declared:
        await database.run(lambda tx: _create(tx, declared))


def _create(tx: Tx, declared: list[sa.MetaData]) -> None:
    for tables in declared:
        tables.create_all(tx.connection)
