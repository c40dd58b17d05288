"""Parked orders: stopped with cause, attempts and traceback until an operator decides."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.step import Now
from conveyor.core.tables import parked
from conveyor.core.transaction import Tx

_INSERT = sa.insert(parked)
_DELETE = sa.delete(parked).where(parked.c.order_id == sa.bindparam("b_order_id"))


@dataclass(frozen=True, slots=True)
class Parked:
    """A row of `parked`."""

    order_id: str
    was: OrderStatus
    queue: str
    group_key: str
    step: str
    cause: str
    attempts: int
    traceback: str
    parked_at: int
    sequence: int


def park(
    tx: Tx,
    order: Order,
    now: Now,
    *,
    step: str,
    cause: str,
    attempts: int,
    traceback: str = "",
) -> None:
    """Note why an order stops; its status is moved on by the caller, in the same transaction."""
    tx.later(
        _INSERT,
        {
            "order_id": order.id,
            "was": order.status,
            "queue": step.partition(".")[0],
            "group_key": order.group_key,
            "step": step,
            "cause": cause,
            "attempts": attempts,
            "traceback": traceback,
            "parked_at": now.ms,
            "sequence": order.sequence,
        },
    )


def unpark(tx: Tx, order_id: str) -> None:
    """The operator has decided."""
    tx.later(_DELETE, {"b_order_id": order_id})


def of_order(tx: Tx, order_id: str) -> Parked | None:
    """Give why an order is parked, or None."""
    row = tx.execute(sa.select(parked).where(parked.c.order_id == order_id)).one_or_none()
    return Parked(*row) if row else None


def listing(tx: Tx, *, limit: int, after: str = "") -> list[Parked]:
    """List parked orders by id."""
    query = sa.select(parked).where(parked.c.order_id > after)
    return [Parked(*row) for row in tx.execute(query.order_by(parked.c.order_id).limit(limit))]
