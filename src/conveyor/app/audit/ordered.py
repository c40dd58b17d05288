"""What an order's body says, held against what was charged, reserved and booked for it.

A body is JSON, which SQL cannot read on both databases: so these rules are Python, page by page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from conveyor.app.audit.pages import Page
from conveyor.app.audit.report import Finding
from conveyor.app.audit.view import on_page
from conveyor.messaging import timeline
from conveyor.messaging.order import AWAITING, COMPLETED, Order
from conveyor.messaging.registry import Registry
from conveyor.messaging.routing_slip import Flow
from conveyor.messaging.statements import one_of
from conveyor.messaging.tables import orders
from conveyor.messaging.tables import timeline as entries
from conveyor.messaging.timeline import placed_with
from conveyor.messaging.transaction import Tx
from conveyor.services.bookings.model import BOOKED, Wanted, legs_of, wanted
from conveyor.services.bookings.store import bookings
from conveyor.services.inventory.model import RELEASED, SOLD
from conveyor.services.inventory.store import reservations
from conveyor.services.orders.placement import fingerprint_of
from conveyor.services.orders.store import KeptKey, find_keys

RESERVE, SELL, HOLD = "inventory.reserve", "inventory.sell", "bookings.hold"
PRICED = ("legs", "items")
"""Fields whose members may have a price each, the first that an order has."""

_ORDERS = sa.select(orders).where(on_page(orders.c.id)).order_by(orders.c.id)
_PLACED = sa.select(entries.c.order_id, entries.c.detail).where(
    on_page(entries.c.order_id), entries.c.event == timeline.PLACED, entries.c.detail != ""
)
_RESERVED = sa.select(reservations).where(on_page(reservations.c.order_id))
_b = bookings.c
_BOOKED = sa.select(_b.order_id, _b.leg, _b.resource, _b.quantity, _b.state).where(
    on_page(_b.order_id)
)
_THERE = sa.select(orders.c.id).where(one_of(orders.c.id, "ids"))
_OLDEST = sa.select(sa.func.min(orders.c.id))

Goods = Mapping[str, Sequence[tuple[str, int, str]]]
Seats = Mapping[str, Sequence[tuple[int, str, int, str]]]


class AsOrdered:
    """Goes through the orders of a page, body by body."""

    def __init__(self, registry: Registry) -> None:
        """`registry` knows the flows."""
        self._flows = registry.flows
        self._total = Finding(
            "total_as_ordered", 4, "Total, currency and customer are those of the body"
        )
        self._key = Finding(
            "key_of_this_order", 2, "The key that placed an order is kept, with its fingerprint"
        )
        self._goods = Finding(
            "goods_as_ordered", 5, "What is reserved or sold for an order is what it ordered"
        )
        self._seats = Finding(
            "journey_as_ordered", 5, "What is held or booked for a journey is what it ordered"
        )
        self._vanished = Finding(
            "nobody_vanished", 1, "The order that was placed before another is there"
        )
        self.findings = (self._total, self._key, self._goods, self._seats, self._vanished)

    def take(self, tx: Tx, page: Page, _now: int) -> None:
        """Judge the orders of one page."""
        found = [Order(*row) for row in tx.execute(_ORDERS, page.bounds)]
        placed = {row[0]: placed_with(row[1]) for row in tx.execute(_PLACED, page.bounds)}
        keys = {order_id: key for order_id, (key, _) in placed.items() if key}
        kept = _kept(tx, found, keys)
        goods, booked = _goods(tx, page), _booked(tx, page)
        for order in found:
            body, flow = order.body, self._flows.get(order.flow)
            _count(self._total, order, order.total == _total(body) and _is_said(order, body))
            if order.id in keys:
                own = kept.get((order.merchant, keys[order.id]))
                _count(self._key, order, own is not None and _is_of(own, order))
            if flow is not None and _names(flow, RESERVE):
                _count(self._goods, order, _goods_agree(flow, order, body, goods[order.id]))
            if flow is not None and _names(flow, HOLD):
                _count(self._seats, order, _legs_agree(order, body, booked[order.id]))
        before = {after for _, after in placed.values() if after} - {order.id for order in found}
        vanished = _vanished(tx, before)
        self._vanished.add(len(found), len(vanished), vanished)


def _count(finding: Finding, order: Order, holds: bool) -> None:  # noqa: FBT001 - what was found
    finding.add(1, 0 if holds else 1, () if holds else (order.id,))


def _total(body: Mapping[str, Any]) -> int:
    lines: list[dict[str, Any]] = next((body[name] for name in PRICED if body.get(name)), [])
    prices = [line.get("unit_price") for line in lines]
    if lines and all(price is not None for price in prices):
        return sum(line.get("quantity", 1) * line["unit_price"] for line in lines)
    return int(body.get("total") or 0)


def _is_said(order: Order, body: Mapping[str, Any]) -> bool:
    said = (body.get("currency"), body.get("reference", ""), body.get("customer", {}).get("id"))
    return said == (order.currency, order.reference, order.customer)


def _vanished(tx: Tx, placed_before: Collection[str]) -> list[str]:
    """Name those that are not there; what is older than all that is was deleted on purpose."""
    there = set(tx.execute(_THERE, {"ids": sorted(placed_before)}).scalars())
    gone = sorted(set(placed_before) - there)
    oldest = tx.execute(_OLDEST).scalar() if gone else None
    return [order_id for order_id in gone if oldest is not None and order_id > oldest]


def _kept(
    tx: Tx, found: Sequence[Order], keys: Mapping[str, str]
) -> dict[tuple[str, str], KeptKey]:
    wanted: dict[str, list[str]] = defaultdict(list)
    for order in found:
        if order.id in keys:
            wanted[order.merchant].append(keys[order.id])
    return {
        (merchant, key): kept
        for merchant, some in wanted.items()
        for key, kept in find_keys(tx, merchant, some).items()
    }


def _is_of(kept: KeptKey, order: Order) -> bool:
    return kept.order_id == order.id and kept.fingerprint == fingerprint_of(order)


def _goods(tx: Tx, page: Page) -> Goods:
    by_order: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    for row in tx.execute(_RESERVED, page.bounds):
        by_order[row.order_id].append((row.sku, row.quantity, row.state))
    return by_order


def _booked(tx: Tx, page: Page) -> Seats:
    by_order: dict[str, list[tuple[int, str, int, str]]] = defaultdict(list)
    for order_id, *seat in tx.execute(_BOOKED, page.bounds):
        by_order[order_id].append(tuple(seat))
    return by_order


def _legs_agree(
    order: Order, body: Mapping[str, Any], booked: Sequence[tuple[int, str, int, str]]
) -> bool:
    legs = [wanted(leg) for leg in legs_of(body)]
    for leg, resource, quantity, _ in booked:
        if leg >= len(legs) or legs[leg] != Wanted(resource, quantity):
            return False
    completed = [BOOKED] * len(legs)
    return order.status != COMPLETED or [state for *_, state in booked] == completed


def _names(flow: Flow, step: str) -> bool:
    return any(line.name == step for line in flow.steps)


def _goods_agree(
    flow: Flow, order: Order, body: Mapping[str, Any], held: Sequence[tuple[str, int, str]]
) -> bool:
    reserved_at = next(i for i, line in enumerate(flow.steps) if line.name == RESERVE)
    sold_at = next((i for i, line in enumerate(flow.steps) if SELL in line.also), len(flow.steps))
    if order.ending or order.position <= reserved_at:
        return order.backwards or not held
    ordered = sorted((item["sku"], item["quantity"]) for item in body["items"])
    if sorted((sku, quantity) for sku, quantity, _ in held) != ordered:
        return False
    states = {state for _, _, state in held}
    gone = order.position > sold_at or (order.position == sold_at and order.status == AWAITING)
    return states == {SOLD} if gone else RELEASED not in states
