"""Timers that are due earlier: what an order awaits came about within another's transaction."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from conveyor.core.order import load_unheld
from conveyor.core.statements import one_of
from conveyor.core.tables import orders, outbox
from conveyor.core.transaction import Tx

_DUE = (
    sa.update(outbox)
    .where(one_of(outbox.c.order_id, "ids"), outbox.c.due_at > sa.bindparam("now"))
    .values(due_at=sa.bindparam("now"))
)
_EXPECT = (
    sa.update(orders).where(one_of(orders.c.id, "ids")).values(expected_at=sa.bindparam("now"))
)


def make_due_now(tx: Tx, order_ids: Sequence[str], now_ms: int) -> None:
    """Let the deadline of awaiting orders come now: their step's `overdue` sees what there is.

    Done with this transaction, and once: a token that is lost is then sent again as any other.
    """
    tx.after_flush(lambda: _hasten(tx, list(order_ids), now_ms))


def _hasten(tx: Tx, order_ids: list[str], now_ms: int) -> None:
    tx.execute(_DUE, {"ids": order_ids, "now": now_ms})
    # Whoever holds one of these orders moves it on.
    tx.execute(_EXPECT, {"ids": list(load_unheld(tx, order_ids)), "now": now_ms})
