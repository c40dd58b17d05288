"""Whether the files of the archive are at hand that the database says orders are in."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from conveyor.core.archived import archive_pages
from conveyor.core.transaction import Tx
from conveyor.operations.archive import shelf_of
from conveyor.operations.doctor.findings import Finding, failure, fine, warning
from conveyor.settings import Settings

CHECK = "archive"
_PAGES = sa.select(archive_pages.c.file, archive_pages.c.orders)


def archive(tx: Tx, settings: Settings) -> Iterator[Finding]:
    """Look for each file; says nothing where no order was ever archived."""
    files = {file: int(many) for file, many in tx.execute(_PAGES)}
    if not files:
        return
    shelf, orders = shelf_of(settings), sum(files.values())
    if shelf is None:
        says = f"{orders:,} orders are archived, and it is not set: nobody here can tell of them"
        yield warning(CHECK, "CONVEYOR_ARCHIVE", says, "name the directory of the archive")
        return
    missing = sorted(files.keys() - {*shelf.names()})
    if missing:
        lost = sum(files[file] for file in missing)
        says = f"{len(missing):,} files of {lost:,} orders are not there, such as {missing[0]}"
        todo = "bring them back from where they were moved, or from a backup"
        yield failure(CHECK, str(shelf.directory), says, todo)
    else:
        says = f"{orders:,} orders in {len(files):,} files, all there"
        yield fine(CHECK, str(shelf.directory), says)
