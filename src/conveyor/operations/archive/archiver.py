"""Moves settled orders into the archive, a page at a time.

A page is written, and on disk, before one transaction deletes it and writes where it is. That
transaction reads the page again: what is deleted is what the file has, to the byte. Whoever is
broken off before it has left a file that no order is in by the books: the next run takes it away.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from conveyor.core import archive_drafts, archived, operator_actions
from conveyor.core.actor import NOBODY, Actor
from conveyor.core.ambient import Ambient, first_id_at
from conveyor.core.archived import Gone
from conveyor.core.errors import UNABLE, ConveyorError
from conveyor.core.order import Order
from conveyor.core.order import load as load_orders
from conveyor.core.order_status import TERMINAL
from conveyor.core.routing_slip import Flow, flow_name
from conveyor.core.tables import orders
from conveyor.core.transaction import Database, Tx
from conveyor.extension import Extension
from conveyor.operations.archive.documents import Document, Reader
from conveyor.operations.archive.holding import held_back
from conveyor.operations.archive.leftovers import remove_leftovers
from conveyor.operations.archive.shelf import ArchiveUnnamedError, Shelf, name_of, shelf_of
from conveyor.system.composition import App

PAGE_ORDERS = 200
MOST_ORDERS = 1_000
"""Of a page: so long may a database with one writer be held up."""
TRIES = 3
MOST_NAMED = 5
TAG_LETTERS = 8
ACTION = "orders.archive"


class OrdersMovedError(ConveyorError):
    """Orders at their end were changed while they were written: nothing of them was deleted."""

    def __init__(self, order_ids: Sequence[str]) -> None:
        super().__init__(
            f"{len(order_ids)} orders were changed while they were written, such as "
            f"{order_ids[0]}: nothing of their page was deleted; try again"
        )
        self.order_ids = order_ids


@dataclass(frozen=True, slots=True)
class Wanted:
    """Orders that have settled `before` (milliseconds), of a merchant or everybody (None).

    A page is `most` of them with ids after `after`; `dry`: only looked at.
    """

    before: int
    merchant: str | None = None
    after: str = ""
    most: int = PAGE_ORDERS
    dry: bool = False


@dataclass(slots=True)
class Moved:
    """What became of a page; `next` is where the next begins, None: it was the last.

    `kept` counts those that must stay, by why; `examples` names some of them.
    """

    archived: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    file: str | None = None
    bytes: int = 0
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _Page:
    found: list[Order]
    why: dict[str, str]
    documents: list[Document]


@dataclass(frozen=True, slots=True)
class Archiver:
    """Does so, for a system with these flows and extensions."""

    database: Database
    ambient: Ambient
    flows: Sequence[Flow]
    extensions: Sequence[Extension]
    shelf: Shelf
    by: Actor = NOBODY

    async def page(self, wanted: Wanted) -> Moved:
        """Move one page. Raises `ArchiveBusyError`, `OrdersMovedError` and `OSError`."""
        if wanted.dry:
            return _moved(wanted, await self.database.read(partial(self._read, wanted=wanted)))
        with self.shelf.locked():
            if not wanted.after:
                await remove_leftovers(self.database, self.shelf)
            for _ in range(TRIES - 1):
                try:
                    return await self._move(wanted)
                except OrdersMovedError:
                    await asyncio.sleep(0)
            return await self._move(wanted)

    async def _move(self, wanted: Wanted) -> Moved:
        page = await self.database.read(partial(self._read, wanted=wanted))
        moved = _moved(wanted, page)
        if not page.documents:
            return moved
        first, last = page.documents[0].order_id, page.documents[-1].order_id
        moved.file = name_of(first, last, self.ambient.new_id()[-TAG_LETTERS:])
        await self.database.run(partial(archive_drafts.announce_file, file=moved.file))
        moved.bytes = await self.shelf.aside(self.shelf.put, moved.file, page.documents)
        try:
            await self.database.run(partial(self._settle, page=page, file=moved.file))
        except UNABLE:
            # The file may be what is left of them: a disk that fails may have taken the commit all
            # the same. The next run finds out.
            raise
        except Exception:
            self.shelf.remove(moved.file)
            await self.database.run(partial(archive_drafts.forget_draft, file=moved.file))
            raise
        return moved

    def _read(self, tx: Tx, wanted: Wanted) -> _Page:
        asked = {
            "before": wanted.before,
            "after": wanted.after,
            "upto": first_id_at(wanted.before),
            "most": wanted.most,
        }
        query = _SETTLED
        if wanted.merchant is not None:
            query = query.where(orders.c.merchant.concat("") == wanted.merchant)
        found = [Order(*row) for row in tx.execute(query, asked)]
        why = held_back(tx, found, self.flows, self.extensions) if found else {}
        going = [order.id for order in found if order.id not in why]
        documents = [] if wanted.dry else self._reader.read(tx, going, self._teller(tx))
        return _Page(found, why, documents)

    def _settle(self, tx: Tx, page: _Page, file: str) -> None:
        """Delete what is in the file, and write where it is. Raises `OrdersMovedError`."""
        ids = [it.order_id for it in page.documents]
        locked = load_orders(tx, ids)
        known = {it.order_id: it.rows for it in self._reader.read(tx, ids, lambda _: [])}
        changed = [it.order_id for it in page.documents if known.get(it.order_id) != it.rows]
        changed += held_back(tx, [*locked.values()], self.flows, self.extensions)
        if changed:
            raise OrdersMovedError(changed)
        now = self.ambient.now_ms()
        for extension in self.extensions:
            archived.add_sums(tx, extension.archiving.sums(tx, ids))
        archived.note_page(tx, ids[0], file, [_gone(locked[it]) for it in ids], now)
        self._reader.delete(tx, ids)
        detail = {"orders": len(ids), "file": file}
        operator_actions.note(tx, self.by, ACTION, now, subject=file, detail=detail)

    @property
    def _reader(self) -> Reader:
        return Reader(self.extensions)

    def _teller(self, tx: Tx) -> Callable[[Order], list[dict[str, Any]]]:
        by_flow = {flow.name: it for it in self.extensions for flow in it.flows}

        def tell(order: Order) -> list[dict[str, Any]]:
            extension = by_flow.get(flow_name(order.flow))
            return [asdict(it) for it in extension.facts(tx, order)] if extension else []

        return tell


def archiver_of(app: App, by: Actor = NOBODY) -> Archiver:
    """Give that of a system. Raises `ArchiveUnnamedError`."""
    shelf = shelf_of(app.settings)
    if shelf is None:
        raise ArchiveUnnamedError
    installed = app.installed
    return Archiver(
        app.parts.database, app.parts.ambient, installed.flows, installed.extensions, shelf, by
    )


# Not by the plain column: both databases would take the index of all that have settled, and sort
# them anew for each page.
_SETTLED = (
    sa.select(orders)
    .where(
        orders.c.id > sa.bindparam("after"),
        orders.c.id < sa.bindparam("upto"),  # what was placed later has not settled before
        orders.c.settled_at + 0 < sa.bindparam("before"),
        orders.c.status.in_(sorted(TERMINAL)),
    )
    .order_by(orders.c.id)
    .limit(sa.bindparam("most"))
)


def _moved(wanted: Wanted, page: _Page) -> Moved:
    moved = Moved(archived=len(page.found) - len(page.why))
    for order_id, why in sorted(page.why.items()):
        moved.kept[why] += 1
        named = moved.examples.setdefault(why, [])
        named += [order_id] if len(named) < MOST_NAMED else []
    if len(page.found) == wanted.most:
        moved.next = page.found[-1].id
    return moved


def _gone(order: Order) -> Gone:
    flow = flow_name(order.flow)
    return Gone(order.id, order.merchant, flow, order.customer, order.reference)
