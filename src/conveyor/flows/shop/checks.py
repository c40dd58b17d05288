"""The shop: stock adds up, and what is completed has arrived."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.checks import MAX_EXAMPLES, Check, Examination, Finding, check_rows
from conveyor.checks.columns import went_through
from conveyor.checks.finding import needed
from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.flows.shop.inventory.audit import InventoryAudit
from conveyor.flows.shop.inventory.audit import audit as audit_inventory
from conveyor.flows.shop.inventory.model import StockLevel
from conveyor.flows.shop.inventory.store import reservations, stock
from conveyor.flows.shop.shipping.model import ShipmentState
from conveyor.flows.shop.shipping.store import shipments

SHIP = "shipping.ship"
_o = orders.c


def check_stock(tx: Tx, _: Examination) -> list[Finding]:
    """For a SKU: nothing negative, everything accounted for, and by the reservations too."""
    found = audit_inventory(tx)
    skus = found.totals.skus
    balanced = Finding(
        "stock_adds_up",
        5,
        "Available, reserved and sold are not negative and add up to what was received",
        skus,
        len(found.unbalanced),
        _levels(found.unbalanced),
        _units(found),
    )
    counted = Finding(
        "stock_is_reserved_for_orders",
        5,
        "Reserved and sold are the sums of the orders' reservations",
        skus,
        len(found.miscounted),
        _levels(found.miscounted),
    )
    stranded = Finding(
        "no_reservation_stranded",
        5,
        "No order at its end still holds stock",
        found.totals.reserved,
        len(found.stranded),
        [f"{one.order_id} ({one.status}): {one.quantity} {one.sku}" for one in found.stranded][
            :MAX_EXAMPLES
        ],
    )
    return [balanced, counted, stranded]


def _levels(levels: list[StockLevel]) -> list[str]:
    return [f"{level.merchant}/{level.sku}" for level in levels][:MAX_EXAMPLES]


def _units(found: InventoryAudit) -> dict[str, int]:
    totals = found.totals
    return {
        "received": totals.received,
        "available": totals.available,
        "reserved": totals.reserved,
        "sold": totals.sold,
    }


def check_needed(tx: Tx, _: Examination) -> list[Finding]:
    """See that there is stock of what is reserved."""
    r, s = reservations.c, stock.c
    there = sa.exists().where(s.merchant == _o.merchant, s.sku == r.sku)
    held = reservations.join(orders, _o.id == r.order_id)
    return [check_rows(tx, needed(), (held, _o.id, sa.true()), sa.not_(there))]


def check_shipped(tx: Tx, examination: Examination) -> list[Finding]:
    """See that the carrier confirmed what is completed, and has what is awaited."""
    flows = examination.flows.values()
    ships = {
        flow.key: at for flow in flows for at, line in enumerate(flow.steps) if line.name == SHIP
    }
    mine = shipments.c.order_id == _o.id
    arrived = sa.exists().where(mine, shipments.c.state == ShipmentState.DELIVERED)
    on_its_way = sa.exists().where(
        mine, shipments.c.state.in_((ShipmentState.DISPATCHED, ShipmentState.DELIVERED))
    )
    awaited = sa.or_(
        sa.false(), *(sa.and_(_o.flow == flow, _o.position == at) for flow, at in ships.items())
    )
    ended = sa.and_(went_through(), _o.flow.in_(ships))
    waits = sa.and_(_o.status == OrderStatus.AWAITING, awaited)
    finding = Finding(
        "completed_is_delivered",
        1,
        "Completed means that the carrier confirmed the delivery, and who awaits it was dispatched",
    )
    check_rows(tx, finding, (orders, _o.id, ended), sa.not_(arrived))
    return [check_rows(tx, finding, (orders, _o.id, waits), sa.not_(on_its_way))]


CHECKS: tuple[Check, ...] = (check_stock, check_needed, check_shipped)
