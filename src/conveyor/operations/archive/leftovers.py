"""Files that no order is in by the books: of a run that was broken off, or were written anew."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

import sqlalchemy as sa

from conveyor.core.archive_drafts import drafts_among, forget_draft
from conveyor.core.archived import archived_among, files_known
from conveyor.core.statements import one_of
from conveyor.core.tables import orders
from conveyor.core.transaction import Database, Tx
from conveyor.operations.archive.shelf import PREFIX, Shelf

log = logging.getLogger(__name__)

_THERE = sa.select(orders.c.id).where(one_of(orders.c.id, "ids"))


async def remove_leftovers(database: Database, shelf: Shelf, beginning: str = PREFIX) -> list[str]:
    """Take away those whose every order is elsewhere; gives their names. The lock must be held.

    A file that this database has not announced is another's, as that of which it is a copy; and one
    with an order that it knows nothing of may be the last of it. Both stay; the log names them.
    """
    shelf.remove_parts()
    names = shelf.names(beginning)
    known, drafts = await database.read(partial(_of, names=names)) if names else (set(), set())
    removed = []
    for name in (it for it in names if it not in known):
        if name not in drafts:
            log.warning("%s in the archive is not of this database: it stays", name)
            continue
        try:
            ids = {it.order_id for it in await shelf.aside(shelf.read, name)}
        except (OSError, ValueError) as error:
            log.warning("%s in the archive cannot be read, and stays: %s", name, error)
            continue
        if await database.read(partial(_are_elsewhere, ids=ids)):
            shelf.remove(name)
            await database.run(partial(forget_draft, file=name))
            removed.append(name)
        else:
            log.warning("%s in the archive has orders that are not known here: it stays", name)
    return removed


def _of(tx: Tx, names: Sequence[str]) -> tuple[set[str], set[str]]:
    return files_known(tx, names), drafts_among(tx, names)


def _are_elsewhere(tx: Tx, ids: set[str]) -> bool:
    there = set(tx.execute(_THERE, {"ids": sorted(ids)}).scalars())
    return ids <= there | archived_among(tx, ids - there)
