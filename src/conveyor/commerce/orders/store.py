"""The order service's own table, and its queries on the orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.order import Order
from conveyor.core.statements import one_of
from conveyor.core.tables import metadata, orders
from conveyor.core.transaction import Tx

idempotency = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("placed_at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

_KEEP = sa.insert(idempotency)
_FIND = sa.select(idempotency).where(
    idempotency.c.merchant == sa.bindparam("merchant"),
    one_of(idempotency.c.key, "keys"),
)

# Whoever sends an order again that was erased is refused: its body is another by now, and it was
# placed.
_SET_FINGERPRINT = (
    sa.update(idempotency)
    .where(
        idempotency.c.merchant == sa.bindparam("b_merchant"),
        idempotency.c.key == sa.bindparam("b_key"),
    )
    .values(fingerprint=sa.bindparam("b_fingerprint"))
)


@dataclass(frozen=True, slots=True)
class KeptKey:
    """An idempotency key that has been used."""

    merchant: str
    key: str
    fingerprint: str
    order_id: str
    placed_at: int


def find_keys(tx: Tx, merchant: str, keys: Sequence[str]) -> dict[str, KeptKey]:
    """Give those of the keys that have been used."""
    rows = tx.execute(_FIND, {"merchant": merchant, "keys": list(keys)}).all()
    return {row[1]: KeptKey(*row) for row in rows}


def keep_key(tx: Tx, kept: KeptKey) -> None:
    """Keep a key, with the order that it placed. Two of the same fail the transaction."""
    tx.later(
        _KEEP,
        {
            "merchant": kept.merchant,
            "key": kept.key,
            "fingerprint": kept.fingerprint,
            "order_id": kept.order_id,
            "placed_at": kept.placed_at,
        },
    )


def set_fingerprint(tx: Tx, merchant: str, key: str, fingerprint: str) -> None:
    """Write what body is known by now of the order that a key placed."""
    row = {"b_merchant": merchant, "b_key": key, "b_fingerprint": fingerprint}
    tx.later(_SET_FINGERPRINT, row)


def find(tx: Tx, order_id: str, merchant: str | None) -> Order | None:
    """Give an order; with a merchant, only if it is theirs."""
    query = sa.select(orders).where(orders.c.id == order_id)
    if merchant is not None:
        query = query.where(orders.c.merchant == merchant)
    row = tx.execute(query).one_or_none()
    return Order(*row) if row else None
