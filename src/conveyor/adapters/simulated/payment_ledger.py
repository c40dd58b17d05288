"""The simulated payment provider's durable ledger: tables of its own, apart from our books."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from conveyor.adapters.simulated.payment_account import OPENING, Entry, Operation
from conveyor.commerce.payments.model import Balance
from conveyor.commerce.payments.ports import Moved
from conveyor.core.statements import one_of, wide_sum, widened
from conveyor.core.transaction import PerDialect, Tx

# Any number, as long as nobody else in the database takes it.
CREATION_LOCK = 7_040_113

ledger_metadata = sa.MetaData()

operations = sa.Table(
    "provider_operations",
    ledger_metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("authorization", sa.Text, nullable=False),  # the reference of the authorization
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("approved", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,  # one tree instead of two: keys come nearly in order
)
sa.Index("provider_operations_by_order", operations.c.order_id)

# How often `card_flaky` has failed so far: a restart must not begin again. With the key as the
# operation, it is an error that is saved under that key.
faults = sa.Table(
    "provider_faults",
    ledger_metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("operation", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)

_op = operations.c
_OF_ORDERS = one_of(_op.order_id, "orders")
_LOCK_AUTHORIZATIONS = (
    sa.select(_op.key)
    .where(_OF_ORDERS, _op.operation.in_(sorted(OPENING)))
    .order_by(_op.key)
    .with_for_update()
)
_LOAD = sa.select(operations).where(_OF_ORDERS)
_FIND = sa.select(operations).where(one_of(_op.key, "keys"))
_ADD = sa.insert(operations)
_FAULTS = sa.select(faults).where(one_of(faults.c.order_id, "orders"))
_FAULT = PerDialect(
    lambda insert: (row := insert(faults)).on_conflict_do_update(
        index_elements=["order_id", "operation"], set_={"count": row.excluded.count}
    )
)


def create(tx: Tx) -> None:
    """Create the tables where they are missing; several processes may do so at once."""
    if tx.dialect == "postgresql":  # there, IF NOT EXISTS alone can still collide
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(CREATION_LOCK)))
    for table in ledger_metadata.sorted_tables:
        tx.execute(sa.schema.CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            tx.execute(sa.schema.CreateIndex(index, if_not_exists=True))


def load(tx: Tx, order_ids: Collection[str]) -> list[Entry]:
    """Read all entries of these orders, in no order.

    The orders' authorizations stay locked, so that two processes cannot both capture one.
    """
    orders = {"orders": list(order_ids)}
    if tx.dialect == "postgresql":  # SQLite has one writer: us
        tx.execute(_LOCK_AUTHORIZATIONS, orders)
    return [Entry(*row) for row in tx.execute(_LOAD, orders)]


def find(tx: Tx, keys: Collection[str]) -> list[Entry]:
    """Read the entries with these keys."""
    return [Entry(*row) for row in tx.execute(_FIND, {"keys": list(keys)})]


def load_faults(tx: Tx, order_ids: Collection[str]) -> dict[tuple[str, str], int]:
    """Count the failures so far, by order and operation or key."""
    rows = tx.execute(_FAULTS, {"orders": list(order_ids)})
    return {(order_id, operation): count for order_id, operation, count in rows}


def add(tx: Tx, entries: Collection[Entry]) -> None:
    """Write new entries. Raises `IntegrityError` when another process took one of the keys."""
    if entries:
        names = Entry.__slots__
        tx.execute_all(_ADD, [{name: getattr(entry, name) for name in names} for entry in entries])


def set_faults(tx: Tx, counts: Mapping[tuple[str, str], int]) -> None:
    """Write the failures so far."""
    if counts:
        tx.execute_all(
            _FAULT,
            [{"order_id": o, "operation": op, "count": count} for (o, op), count in counts.items()],
        )


# --- for the audit --------------------------------------------------------------------------------


def sum_of(*kinds: Operation) -> sa.ColumnElement[int]:
    """Sum the amounts of these operations; a charge is both an authorization and a capture."""
    return sa.func.sum(sa.case((_op.operation.in_(sorted(kinds)), _op.amount), else_=0))


_ACCOUNTS = (
    sa.select(
        _op.currency,
        sum_of(*OPENING).label("authorized"),
        sum_of(Operation.CAPTURE, Operation.CHARGE).label("captured"),
        sum_of(Operation.REFUND).label("refunded"),
        sum_of(Operation.VOID).label("voided"),
    )
    .where(_op.approved)
    .group_by(_op.authorization, _op.currency)
    .subquery()
)
_account = _ACCOUNTS.c
_OPEN = sa.case(
    (sa.and_(_account.captured == 0, _account.voided == 0), _account.authorized), else_=0
)
_TOTALS = (
    sa.select(
        _account.currency,
        *(half for c in (_account.captured, _account.refunded, _OPEN) for half in wide_sum(c)),
    )
    .group_by(_account.currency)
    .order_by(_account.currency)
)
_MOVED = (
    sa.select(
        _op.order_id,
        sa.func.min(_op.currency),
        sum_of(*OPENING),
        sum_of(Operation.CAPTURE, Operation.CHARGE),
        sum_of(Operation.REFUND),
        sa.func.max(sa.case((_op.operation == Operation.VOID.value, 1), else_=0)),
    )
    .where(
        _op.approved,
        _op.order_id > sa.bindparam("after", type_=sa.Text),
        _op.order_id <= sa.bindparam("upto", type_=sa.Text),
    )
    .group_by(_op.order_id)
)


def totals(tx: Tx) -> list[Balance]:
    """Sum all money by currency."""
    return [Balance(currency, *widened(parts)) for currency, *parts in tx.execute(_TOTALS)]


def moved_between(tx: Tx, after: str, upto: str) -> dict[str, Moved]:
    """Sum what was done for each of these orders."""
    rows = tx.execute(_MOVED, {"after": after, "upto": upto}).all()
    return {
        order_id: Moved(currency, int(authorized), int(captured), int(refunded), bool(voided))
        for order_id, currency, authorized, captured, refunded, voided in rows
    }
