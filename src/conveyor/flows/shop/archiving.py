"""What must stay of an order that goes into the archive, and how many units went with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from conveyor.core.statements import one_of
from conveyor.core.tables import orders
from conveyor.extension import Archiving, Sum, Tx
from conveyor.flows.shop.inventory.model import ReservationState
from conveyor.flows.shop.inventory.store import reservations
from conveyor.flows.shop.shipping.model import ShipmentState
from conveyor.flows.shop.shipping.store import shipments

_r, _s = reservations.c, shipments.c
_HOLDING = sa.select(_r.order_id).where(
    one_of(_r.order_id, "ids"), _r.state == ReservationState.RESERVED
)
_ON_ITS_WAY = sa.select(_s.order_id).where(
    one_of(_s.order_id, "ids"),
    _s.state.in_((ShipmentState.REQUESTED, ShipmentState.DISPATCHED)),
)
_UNITS = (
    sa.select(orders.c.merchant, _r.sku, sa.func.sum(_r.quantity))
    .join(orders, orders.c.id == _r.order_id)
    .where(one_of(_r.order_id, "ids"), _r.state == ReservationState.SOLD)
    .group_by(orders.c.merchant, _r.sku)
)


def _holds(tx: Tx, order_ids: Sequence[str]) -> Mapping[str, str]:
    asked = {"ids": list(order_ids)}
    holding = dict.fromkeys(tx.execute(_HOLDING, asked).scalars(), "holds stock")
    away = dict.fromkeys(tx.execute(_ON_ITS_WAY, asked).scalars(), "has a parcel on its way")
    return holding | away


def _sums(tx: Tx, order_ids: Sequence[str]) -> Iterable[Sum]:
    for merchant, sku, units in tx.execute(_UNITS, {"ids": list(order_ids)}):
        yield Sum(reservations.name, merchant, sku, ReservationState.SOLD, int(units))


ARCHIVING = Archiving(_holds, _sums)
