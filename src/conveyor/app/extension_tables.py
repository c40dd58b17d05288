"""Tables of extensions: made where they are missing, or by migrations of the package's own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path

import sqlalchemy as sa

from conveyor.adapters.migrations import Revisions, current_revision, is_current, migrate
from conveyor.app.backends import SchemaNotCurrentError
from conveyor.app.extension_checks import ExtensionError
from conveyor.app.installation import Installation
from conveyor.extension import Extension
from conveyor.messaging.transaction import Database, Tx


async def migrate_extensions(database: Database, installed: Installation) -> list[str]:
    """Make and change what is missing; gives the revisions applied, with their extension's name.

    Raises `ExtensionError`, and what `migrate` raises.
    """
    applied: list[str] = []
    for extension in _migrated(installed):
        done = await migrate(database, revisions_of_extension(extension))
        applied += [f"{extension.name} {revision}" for revision in done]
    await _make_missing(database, installed)
    return applied


async def bring_extensions_up_to_date(database: Database, installed: Installation) -> None:
    """Migrate them in an embedded database. Raises `SchemaNotCurrentError` for another's."""
    if database.dialect == "sqlite":
        await migrate_extensions(database, installed)
        return
    for extension in _migrated(installed):
        revisions = revisions_of_extension(extension)
        if not await is_current(database, revisions):
            revision = await current_revision(database, revisions)
            raise SchemaNotCurrentError(revision, revisions.head, extension.name)
    await _make_missing(database, installed)


def _migrated(installed: Installation) -> Iterator[Extension]:
    return (it for it in installed.extensions if it.migrations)


async def _make_missing(database: Database, installed: Installation) -> None:
    for extension in installed.extensions:
        if extension.tables is not None and not extension.migrations:
            await database.run(partial(_create, extension.tables))


def revisions_of_extension(extension: Extension) -> Revisions:
    """Give an extension's revisions. Raises `ExtensionError` where there are none."""
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


def _create(tables: sa.MetaData, tx: Tx) -> None:
    tables.create_all(tx.connection)
