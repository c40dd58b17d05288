"""The shop: what is reserved or sold for an order is what it ordered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.checks import Examination, Finding, Page, on_page
from conveyor.checks.bodies import Placed, placed_on
from conveyor.core.body import read_body
from conveyor.core.order_status import OrderStatus
from conveyor.core.routing_slip import Flow
from conveyor.core.transaction import Tx
from conveyor.flows.shop.inventory.model import Goods, ReservationState
from conveyor.flows.shop.inventory.store import reservations

RESERVE, SELL = "inventory.reserve", "inventory.sell"
_r = reservations.c
_RESERVED = sa.select(_r.order_id, _r.sku, _r.quantity, _r.state).where(on_page(_r.order_id))


@dataclass(frozen=True, slots=True)
class _Slip:
    """At which position a flow reserves and sells, and has done all of it."""

    reserve: int
    sell: int
    end: int


def _slips(flows: Mapping[str, Flow]) -> dict[str, _Slip]:
    slips: dict[str, _Slip] = {}
    for key, flow in flows.items():
        names = [line.name for line in flow.steps]
        if RESERVE in names:
            sells = (at for at, line in enumerate(flow.steps) if SELL in line.also)
            slips[key] = _Slip(names.index(RESERVE), next(sells, len(names)), len(names))
    return slips


class GoodsAsOrdered:
    """Goes through the orders of a page, body by body."""

    def __init__(self, examination: Examination) -> None:
        """Nothing is found yet."""
        self._slips = _slips(examination.flows)
        self._finding = Finding(
            "goods_as_ordered", 5, "What is reserved or sold for an order is what it ordered"
        )
        self.findings = (self._finding,)

    def take(self, tx: Tx, page: Page, _now: int) -> None:
        """Judge the orders of one page."""
        found = placed_on(tx, page, self._slips)
        held: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
        for order_id, *goods in tx.execute(_RESERVED, page.bounds).all():
            held[order_id].append(tuple(goods))
        wrong = [it.id for it in found if not _agree(self._slips[it.flow], it, held[it.id])]
        self._finding.add(len(found), len(wrong), wrong)


def _agree(slip: _Slip, order: Placed, held: Sequence[tuple[str, int, str]]) -> bool:
    if not order.went_through and (order.ending or order.position <= slip.reserve):
        return order.ending != "" or not held
    items = read_body(order.raw_body, Goods).items
    awaits = order.status == OrderStatus.AWAITING
    position = slip.end if order.went_through else order.position
    if position > slip.sell or (position == slip.sell and awaits):
        return sorted(held) == sorted((i.sku, i.quantity, ReservationState.SOLD) for i in items)
    ordered = sorted((item.sku, item.quantity) for item in items)
    there = sorted(
        (sku, quantity) for sku, quantity, state in held if state != ReservationState.RELEASED
    )
    return len(there) == len(held) and there == ordered
