"""Whether the stock adds up: for a SKU, with its reservations, and with the orders behind them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.archived import sums_of
from conveyor.core.order_status import TERMINAL, OrderStatus
from conveyor.core.statements import wide_sum, widened
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.flows.shop.inventory.model import ReservationState, StockLevel
from conveyor.flows.shop.inventory.store import reservations, stock

MAX_EXAMPLES = 100
"""Violations of each kind that an audit lists."""


@dataclass(frozen=True, slots=True)
class Stranded:
    """A reservation that nobody will ever release or sell: its order is at its end."""

    order_id: str
    sku: str
    quantity: int
    status: OrderStatus


@dataclass(frozen=True, slots=True)
class Totals:
    """All stock of all merchants, in units."""

    skus: int
    received: int
    available: int
    reserved: int
    sold: int


@dataclass(frozen=True, slots=True)
class InventoryAudit:
    """What there is, and what is wrong with it: at most `MAX_EXAMPLES` of each kind.

    `unbalanced` levels do not add up, `miscounted` ones disagree with their reservations.
    """

    totals: Totals
    unbalanced: list[StockLevel]
    miscounted: list[StockLevel]
    stranded: list[Stranded]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.unbalanced or self.miscounted or self.stranded)


_PARTS = (stock.c.available, stock.c.reserved, stock.c.sold)
_TOTALS = sa.select(
    sa.func.count(), *(half for c in (stock.c.received, *_PARTS) for half in wide_sum(c))
)
_UNBALANCED = (
    sa.select(stock)
    .where(
        sa.or_(
            *(part < 0 for part in _PARTS),
            stock.c.available + stock.c.reserved + stock.c.sold != stock.c.received,
        )
    )
    .limit(MAX_EXAMPLES)
)


def _units_in(state: str) -> sa.ColumnElement[int]:
    in_state = sa.case((reservations.c.state == state, reservations.c.quantity), else_=0)
    return sa.func.sum(in_state)


_held = (
    sa.select(
        orders.c.merchant,
        reservations.c.sku,
        _units_in(ReservationState.RESERVED).label("reserved"),
        _units_in(ReservationState.SOLD).label("sold"),
    )
    .join(orders, orders.c.id == reservations.c.order_id)
    .group_by(orders.c.merchant, reservations.c.sku)
    .subquery()
)
_gone = sums_of(reservations.name, ReservationState.SOLD)
_sold = sa.func.coalesce(_held.c.sold, 0) + sa.func.coalesce(_gone.c.amount, 0)
_MISCOUNTED = (
    sa.select(stock)
    .outerjoin(_held, (_held.c.merchant == stock.c.merchant) & (_held.c.sku == stock.c.sku))
    .outerjoin(_gone, (_gone.c.merchant == stock.c.merchant) & (_gone.c.name == stock.c.sku))
    .where((stock.c.reserved != sa.func.coalesce(_held.c.reserved, 0)) | (stock.c.sold != _sold))
    .limit(MAX_EXAMPLES)
)
_STRANDED = (
    sa.select(reservations.c.order_id, reservations.c.sku, reservations.c.quantity, orders.c.status)
    .join(orders, orders.c.id == reservations.c.order_id)
    .where(reservations.c.state == ReservationState.RESERVED, orders.c.status.in_(sorted(TERMINAL)))
    .limit(MAX_EXAMPLES)
)


def audit(tx: Tx) -> InventoryAudit:
    """Check every SKU and every reservation of every merchant. Reads both tables whole."""
    skus, *parts = tx.execute(_TOTALS).one()
    return InventoryAudit(
        totals=Totals(int(skus), *widened(parts)),
        unbalanced=[StockLevel(*row) for row in tx.execute(_UNBALANCED)],
        miscounted=[StockLevel(*row) for row in tx.execute(_MISCOUNTED)],
        stranded=[Stranded(*row) for row in tx.execute(_STRANDED)],
    )
