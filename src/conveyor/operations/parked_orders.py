"""Parked orders, with what is owed of each and who waits behind it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.commerce.payments.store import payments
from conveyor.core.engine import Engine
from conveyor.core.group_order import waiting_behind
from conveyor.core.order import Order
from conveyor.core.parking import Parked
from conveyor.core.place import place_of
from conveyor.core.registry import Registry
from conveyor.core.tables import orders, parked
from conveyor.core.transaction import Tx


@dataclass(frozen=True, slots=True)
class ParkedOrder:
    """A parked order. `owed`: money, in minor units, that its customer is still to get back.

    `kept` is what was taken of it and not given back, `holds_back` how many orders wait behind it
    in its message group.
    """

    order: Order
    parked: Parked
    owed: int
    kept: int
    holds_back: int

    def to_collect(self, registry: Registry) -> int:
        """Give what its customer is still to pay: of what was delivered, and only of that."""
        flow = registry.flows.get(self.order.flow)
        past = flow is not None and flow.is_past_pivot(place_of(self.order))
        return max(self.order.total - self.kept, 0) if past else 0


_KEPT = sa.func.coalesce(payments.c.captured - payments.c.refunded, 0)
_OWED = sa.func.coalesce(payments.c.captured - payments.c.refunded - payments.c.fee, 0)
_NOT_OWED = sa.or_(orders.c.ending == "", _OWED < 0)
_PARKED = (
    sa.select(parked, sa.case((_NOT_OWED, 0), else_=_OWED), _KEPT, waiting_behind(), orders)
    .join(orders, orders.c.id == parked.c.order_id)
    .outerjoin(payments, payments.c.order_id == parked.c.order_id)
    .order_by(parked.c.order_id)
)
_FIELDS = len(parked.c)


async def list_parked(
    engine: Engine, merchant: str | None, *, limit: int, after: str = ""
) -> list[ParkedOrder]:
    """List as `parked_orders` does, in a transaction of its own."""
    return await engine.database.read(
        lambda tx: parked_orders(tx, merchant, limit=limit, after=after)
    )


async def find_parked(engine: Engine, order_id: str, merchant: str | None) -> ParkedOrder | None:
    """Give a parked order of this merchant, or of anybody."""
    return await engine.database.read(lambda tx: parked_order(tx, order_id, merchant))


def parked_orders(
    tx: Tx, merchant: str | None, *, limit: int, after: str = ""
) -> list[ParkedOrder]:
    """List a merchant's parked orders, or everybody's, by id; `after` is the last one seen."""
    return _parked(tx, merchant, parked.c.order_id > after, limit)


def parked_order(tx: Tx, order_id: str, merchant: str | None) -> ParkedOrder | None:
    """Give a parked order of this merchant."""
    return next(iter(_parked(tx, merchant, parked.c.order_id == order_id, 1)), None)


def _parked(
    tx: Tx, merchant: str | None, which: sa.ColumnElement[bool], limit: int
) -> list[ParkedOrder]:
    query = _PARKED.where(which).limit(limit)
    if merchant is not None:
        query = query.where(orders.c.merchant == merchant)
    return [
        ParkedOrder(
            Order(*row[_FIELDS + 3 :]),
            Parked(*row[:_FIELDS]),
            *(int(number) for number in row[_FIELDS : _FIELDS + 3]),
        )
        for row in tx.execute(query)
    ]
