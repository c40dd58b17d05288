"""Which orders have an item: written once, as they are placed, for whoever looks for them."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from conveyor.core.tables import metadata
from conveyor.core.transaction import Tx

order_skus = sa.Table(
    "order_skus",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)
_INSERT = sa.insert(order_skus)


def keep_skus(tx: Tx, order_id: str, skus: Iterable[str]) -> None:
    """Let an order be found by these."""
    for sku in skus:
        tx.later(_INSERT, {"sku": sku, "order_id": order_id})
