"""An extension that keeps notes of orders, and says what becomes of them in the archive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from conveyor.core.statements import one_of
from conveyor.extension import Archiving, Extension, Kept, OfCustomer, Rows, Sum, Tx

metadata = sa.MetaData()
notes = sa.Table(
    "notes",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),
)
_MINE = sa.select(notes).where(one_of(notes.c.order_id, "ids"))


def _holds(tx: Tx, order_ids: Sequence[str]) -> Mapping[str, str]:
    rows = tx.execute(_MINE, {"ids": list(order_ids)})
    return {row.order_id: "has an open note" for row in rows if row.is_open}


def _sums(tx: Tx, order_ids: Sequence[str]) -> Iterable[Sum]:
    many = len(tx.execute(_MINE, {"ids": list(order_ids)}).all())
    yield Sum(notes.name, "default", "all", "written", many)


def _forget(rows: Rows) -> Rows:
    return {name: [{**row, "text": "forgotten"} for row in them] for name, them in rows.items()}


def _forget_here(tx: Tx, whose: OfCustomer) -> Iterable[Kept]:
    theirs = sa.update(notes).where(one_of(notes.c.order_id, "ids")).values(text="forgotten")
    tx.execute(theirs, {"ids": list(whose.orders)})
    return ()


SAYS = Extension(
    "keeping",
    tables=metadata,
    belongings=(notes,),
    forget=_forget_here,
    archiving=Archiving(_holds, _sums, _forget),
)
SAYS_NOTHING = Extension("keeping", tables=metadata, belongings=(notes,), forget=_forget_here)
