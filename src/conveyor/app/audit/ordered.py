"""What an order's body says, held against what was charged, reserved and booked for it.

A body is JSON, which SQL cannot read on both databases: so these rules are Python, page by page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import orjson
import sqlalchemy as sa

from conveyor.app.audit.pages import Page
from conveyor.app.audit.report import Finding
from conveyor.app.audit.view import on_page
from conveyor.messaging import timeline
from conveyor.messaging.order import AWAITING, COMPLETED
from conveyor.messaging.registry import Registry
from conveyor.messaging.routing_slip import Flow
from conveyor.messaging.statements import one_of
from conveyor.messaging.tables import orders
from conveyor.messaging.tables import timeline as entries
from conveyor.messaging.timeline import placed_with
from conveyor.messaging.transaction import Tx
from conveyor.services.bookings.model import BOOKED, Wanted, legs_of, wanted
from conveyor.services.bookings.tables import bookings
from conveyor.services.inventory.model import RELEASED, SOLD
from conveyor.services.inventory.store import reservations
from conveyor.services.orders.placement import fingerprint_of
from conveyor.services.orders.store import KeptKey, find_keys

RESERVE, SELL, HOLD = "inventory.reserve", "inventory.sell", "bookings.hold"
PRICED = ("legs", "items")
"""Fields whose members may have a price each, the first that an order has."""


class Placed(NamedTuple):
    """What is looked at of an order."""

    id: str
    merchant: str
    flow: str
    reference: str
    customer: str
    currency: str
    total: int
    body: str
    status: str
    position: int
    ending: str


_ORDERS = (
    sa.select(*(orders.c[name] for name in Placed._fields))
    .where(on_page(orders.c.id))
    .order_by(orders.c.id)
)
_PLACED = sa.select(entries.c.order_id, entries.c.detail).where(
    on_page(entries.c.order_id), entries.c.event == timeline.PLACED, entries.c.detail != ""
)
_r = reservations.c
_RESERVED = sa.select(_r.order_id, _r.sku, _r.quantity, _r.state).where(on_page(_r.order_id))
_b = bookings.c
_BOOKED = sa.select(_b.order_id, _b.leg, _b.resource, _b.quantity, _b.state).where(
    on_page(_b.order_id)
)
_THERE = sa.select(orders.c.id).where(one_of(orders.c.id, "ids"))
_OLDEST = sa.select(sa.func.min(orders.c.id))

Goods = Mapping[str, Sequence[tuple[str, int, str]]]
Seats = Mapping[str, Sequence[tuple[int, str, int, str]]]


@dataclass(frozen=True, slots=True)
class _Slip:
    """At which position a flow reserves and sells, and whether it holds legs."""

    reserve: int | None = None
    sell: int = 0
    holds: bool = False

    @classmethod
    def of(cls, flow: Flow) -> Self:
        steps = flow.steps
        return cls(
            next((at for at, line in enumerate(steps) if line.name == RESERVE), None),
            next((at for at, line in enumerate(steps) if SELL in line.also), len(steps)),
            any(line.name == HOLD for line in steps),
        )


_NO_SLIP = _Slip()


class AsOrdered:
    """Goes through the orders of a page, body by body."""

    def __init__(self, registry: Registry) -> None:
        """`registry` knows the flows."""
        self._slips = {key: _Slip.of(flow) for key, flow in registry.flows.items()}
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
        found = list(map(Placed._make, tx.execute(_ORDERS, page.bounds).all()))
        placed = {row[0]: placed_with(row[1]) for row in tx.execute(_PLACED, page.bounds).all()}
        keys = {order_id: key for order_id, (key, _) in placed.items() if key}
        kept = _kept(tx, found, keys)
        goods, booked = _goods(tx, page), _booked(tx, page)
        total, key, seats, sold = ([] for _ in range(4))  # ids of those that are wrong
        for order in found:
            body, slip = orjson.loads(order.body), self._slips.get(order.flow, _NO_SLIP)
            if order.total != _total(body) or not _is_said(order, body):
                total.append(order.id)
            if order.id in keys and not _is_of(kept.get((order.merchant, keys[order.id])), order):
                key.append(order.id)
            if slip.reserve is not None and not _goods_agree(slip, order, body, goods[order.id]):
                sold.append(order.id)
            if slip.holds and not _legs_agree(order, body, booked[order.id]):
                seats.append(order.id)
        before = {after for _, after in placed.values() if after} - {order.id for order in found}
        wrong = (total, key, sold, seats, _vanished(tx, before))
        for finding, ids in zip(self.findings, wrong, strict=True):
            finding.add(len(found), len(ids), ids)


def _total(body: Mapping[str, Any]) -> int:
    lines: Sequence[dict[str, Any]]
    lines, total = next((body[name] for name in PRICED if body.get(name)), ()), 0
    for line in lines:
        price = line.get("unit_price")
        if price is None:
            break
        total += line.get("quantity", 1) * price
    else:
        if lines:
            return total
    return int(body.get("total") or 0)


def _is_said(order: Placed, body: Mapping[str, Any]) -> bool:
    said = (body.get("currency"), body.get("reference", ""), body.get("customer", {}).get("id"))
    return said == (order.currency, order.reference, order.customer)


def _vanished(tx: Tx, placed_before: Collection[str]) -> list[str]:
    """Name those that are not there; what is older than all that is was deleted on purpose."""
    there = set(tx.execute(_THERE, {"ids": sorted(placed_before)}).scalars())
    gone = sorted(set(placed_before) - there)
    oldest = tx.execute(_OLDEST).scalar() if gone else None
    return [order_id for order_id in gone if oldest is not None and order_id > oldest]


def _kept(
    tx: Tx, found: Sequence[Placed], keys: Mapping[str, str]
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


def _is_of(kept: KeptKey | None, order: Placed) -> bool:
    return (
        kept is not None
        and kept.order_id == order.id
        and kept.fingerprint == fingerprint_of(order.body)
    )


def _goods(tx: Tx, page: Page) -> Goods:
    by_order: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    for order_id, *goods in tx.execute(_RESERVED, page.bounds).all():
        by_order[order_id].append(tuple(goods))
    return by_order


def _booked(tx: Tx, page: Page) -> Seats:
    by_order: dict[str, list[tuple[int, str, int, str]]] = defaultdict(list)
    for order_id, *seat in tx.execute(_BOOKED, page.bounds).all():
        by_order[order_id].append(tuple(seat))
    return by_order


def _legs_agree(
    order: Placed, body: Mapping[str, Any], booked: Sequence[tuple[int, str, int, str]]
) -> bool:
    legs = [wanted(leg) for leg in legs_of(body)]
    for leg, resource, quantity, _ in booked:
        if leg >= len(legs) or legs[leg] != Wanted(resource, quantity):
            return False
    completed = [BOOKED] * len(legs)
    return order.status != COMPLETED or [state for *_, state in booked] == completed


def _goods_agree(
    slip: _Slip, order: Placed, body: Mapping[str, Any], held: Sequence[tuple[str, int, str]]
) -> bool:
    assert slip.reserve is not None  # noqa: S101 - else it is not asked
    if order.ending or order.position <= slip.reserve:
        return order.ending != "" or not held
    awaits = order.status == AWAITING
    if order.position > slip.sell or (order.position == slip.sell and awaits):
        return sorted(held) == sorted((i["sku"], i["quantity"], SOLD) for i in body["items"])
    ordered = sorted((item["sku"], item["quantity"]) for item in body["items"])
    there = sorted((sku, quantity) for sku, quantity, state in held if state != RELEASED)
    return len(there) == len(held) and there == ordered
