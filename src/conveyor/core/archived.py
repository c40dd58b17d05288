"""Orders that went into the archive: which file has each, and what sums need to know of them.

An archived order is in no other table any more but that of idempotency keys, which are kept: the
same request still places no second order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.archive_drafts import announce_file, forget_draft
from conveyor.core.statements import one_of
from conveyor.core.tables import metadata
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert

MOST_LISTED = 100

# A page is named by the first order in it: each order is archived once.
archive_pages = sa.Table(
    "archive_pages",
    metadata,
    sa.Column("page", sa.Text, primary_key=True),
    sa.Column("file", sa.Text, nullable=False),  # its name, in whatever directory it is now
    sa.Column("orders", sa.BigInteger, nullable=False),
    sa.Column("archived_at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

archived_orders = sa.Table(
    "archived_orders",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("page", sa.Text, nullable=False),
    sa.Column("merchant", sa.Text, nullable=False),
    sa.Column("flow", sa.Text, nullable=False),  # its name
    sa.Column("customer", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
_o = archived_orders.c
sa.Index("archived_orders_by_merchant", _o.merchant, _o.order_id)
sa.Index("archived_orders_by_customer", _o.customer, _o.order_id)
_named = _o.reference != sa.text("''")
sa.Index(
    "archived_orders_by_reference",
    _o.reference,
    _o.order_id,
    sqlite_where=_named,
    postgresql_where=_named,
)

# What rows that went with their orders add to sums that the audit compares, such as units sold.
archived_sums = sa.Table(
    "archived_sums",
    metadata,
    sa.Column("of", sa.Text, primary_key=True),  # the table that they were in
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("what", sa.Text, primary_key=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Archived:
    """Where an order's record is: in this file, since then (milliseconds)."""

    order_id: str
    merchant: str
    page: str
    file: str
    archived_at: int


@dataclass(frozen=True, slots=True)
class Gone:
    """An order that goes into the archive, as it is to be found again; `flow` is its name."""

    order_id: str
    merchant: str
    flow: str
    customer: str
    reference: str


@dataclass(frozen=True, slots=True)
class Sum:
    """So much of `what` that rows of a table have of a merchant's `name`, such as units of a SKU.

    `of` is the table's name.
    """

    of: str
    merchant: str
    name: str
    what: str
    amount: int


_FOUND = sa.select(
    _o.order_id, _o.merchant, _o.page, archive_pages.c.file, archive_pages.c.archived_at
).join(archive_pages, archive_pages.c.page == _o.page)
_OF_ORDER = _FOUND.where(_o.order_id == sa.bindparam("of_order"))
_NEWEST = _FOUND.order_by(_o.order_id.desc()).limit(MOST_LISTED)
_OF_REFERENCE = _NEWEST.where(_o.reference == sa.bindparam("of_reference"), _named)
_OF_CUSTOMER = _FOUND.where(
    _o.customer == sa.bindparam("of_customer"), _o.merchant == sa.bindparam("of_merchant")
).order_by(_o.order_id)
_AMONG = sa.select(_o.order_id).where(one_of(_o.order_id, "ids"))
_BETWEEN = sa.select(_o.order_id).where(
    _o.order_id > sa.bindparam("after"), _o.order_id <= sa.bindparam("upto")
)
_INSERT_PAGE = sa.insert(archive_pages)
_INSERT = sa.insert(archived_orders)
_SET_FILE = (
    sa.update(archive_pages)
    .where(
        archive_pages.c.page == sa.bindparam("of_page"),
        archive_pages.c.file == sa.bindparam("old_file"),
    )
    .values(file=sa.bindparam("new_file"))
)
_FILES = sa.select(archive_pages.c.file).where(one_of(archive_pages.c.file, "files"))


def _add(insert: DialectInsert) -> sa.Executable:
    row = insert(archived_sums)
    upsert: sa.Executable = row.on_conflict_do_update(
        index_elements=[archived_sums.c[name] for name in ("of", "merchant", "name", "what")],
        set_={"amount": archived_sums.c.amount + row.excluded.amount},
    )
    return upsert


_ADD = PerDialect(_add)


def archived_as(tx: Tx, order_id: str, merchant: str | None = None) -> Archived | None:
    """Say where an order is; with a merchant, only if it is theirs. None: in no archive."""
    row = tx.execute(_OF_ORDER, {"of_order": order_id}).one_or_none()
    found = None if row is None else Archived(*row)
    return found if found and merchant in {None, found.merchant} else None


def listed(tx: Tx, reference: str | None, merchant: str | None) -> list[Archived]:
    """Give a merchant's newest archived orders, or everybody's: those of this reference, or all."""
    query, asked = (
        (_NEWEST, {}) if reference is None else (_OF_REFERENCE, {"of_reference": reference})
    )
    query = query if merchant is None else query.where(_o.merchant == merchant)
    return [Archived(*row) for row in tx.execute(query, asked)]


def of_customer(tx: Tx, merchant: str, customer: str) -> list[Archived]:
    """Give all archived orders of a customer of a merchant."""
    asked = {"of_customer": customer, "of_merchant": merchant}
    return [Archived(*row) for row in tx.execute(_OF_CUSTOMER, asked)]


def archived_among(tx: Tx, order_ids: Collection[str]) -> set[str]:
    """Give those of these orders that are in the archive."""
    if not order_ids:
        return set()
    return set(tx.execute(_AMONG, {"ids": sorted(order_ids)}).scalars())


def archived_between(tx: Tx, after: str, upto: str) -> set[str]:
    """Give the archived orders with `after` < id <= `upto`."""
    return set(tx.execute(_BETWEEN, {"after": after, "upto": upto}).scalars())


def archived_count(
    tx: Tx, merchant: str | None = None, flow: str = "", among: sa.Select[tuple[str]] | None = None
) -> int:
    """Count archived orders: a merchant's, of a flow by its name, those that `among` gives."""
    query = sa.select(sa.func.count()).select_from(archived_orders)
    query = query if merchant is None else query.where(_o.merchant == merchant)
    query = query.where(_o.flow == flow) if flow else query
    query = query if among is None else query.where(_o.order_id.in_(among))
    return int(tx.execute(query).scalar_one())


def sums_of(table: str, what: str) -> sa.Subquery:
    """Give, for a join, `merchant`, `name` and `amount` of what went with archived orders."""
    s = archived_sums.c
    mine = sa.select(s.merchant, s.name, s.amount).where(s.of == table, s.what == what)
    return mine.subquery()


def note_page(tx: Tx, page: str, file: str, gone: Sequence[Gone], now_ms: int) -> None:
    """Write in this transaction that these orders are in this file from now on."""
    counts = {"page": page, "file": file, "orders": len(gone), "archived_at": now_ms}
    tx.execute(_INSERT_PAGE, counts)
    forget_draft(tx, file)
    for it in gone:
        tx.later(
            _INSERT,
            {
                "order_id": it.order_id,
                "page": page,
                "merchant": it.merchant,
                "flow": it.flow,
                "customer": it.customer,
                "reference": it.reference,
            },
        )


def add_sums(tx: Tx, sums: Iterable[Sum]) -> None:
    """Add these to what was archived before, in this transaction."""
    for it in sums:
        key = {"of": it.of, "merchant": it.merchant, "name": it.name, "what": it.what}
        tx.add(_ADD, key, {"amount": it.amount})


def replace_file(tx: Tx, page: str, old: str, new: str) -> bool:
    """Write that a page is in another file; gives False where somebody else did so before."""
    asked = {"of_page": page, "old_file": old, "new_file": new}
    if tx.execute(_SET_FILE, asked).rowcount != 1:
        return False
    forget_draft(tx, new)
    announce_file(tx, old)
    return True


def files_known(tx: Tx, files: Collection[str]) -> set[str]:
    """Give those of these names that are of pages."""
    return set(tx.execute(_FILES, {"files": sorted(files)}).scalars())
