"""Files of the archive that may be taken away again: such as are announced, and in no page yet.

A copy of this database that is tried out knows nothing of what was written later, and leaves it
alone.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from conveyor.core.statements import one_of
from conveyor.core.tables import metadata
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert

archive_drafts = sa.Table(
    "archive_drafts",
    metadata,
    sa.Column("file", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)

_DRAFTS = sa.select(archive_drafts.c.file).where(one_of(archive_drafts.c.file, "files"))
_NO_DRAFT = sa.delete(archive_drafts).where(archive_drafts.c.file == sa.bindparam("of_file"))


def _draft(insert: DialectInsert) -> sa.Executable:
    statement: sa.Executable = insert(archive_drafts).on_conflict_do_nothing()
    return statement


_DRAFT = PerDialect(_draft)


def announce_file(tx: Tx, file: str) -> None:
    """Write, before it is written itself, that this file is a draft: see `archive_drafts`."""
    tx.execute(_DRAFT, {"file": file})


def forget_draft(tx: Tx, file: str) -> None:
    """Write that this file has come to stay, or has gone."""
    tx.execute(_NO_DRAFT, {"of_file": file})


def drafts_among(tx: Tx, files: Collection[str]) -> set[str]:
    """Give those of these names that are of drafts."""
    return set(tx.execute(_DRAFTS, {"files": sorted(files)}).scalars())
