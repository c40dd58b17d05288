"""What belongs to an order is its merchant's, and what others need of it is there."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.app.audit.look import look
from conveyor.app.audit.report import Finding
from conveyor.app.audit.view import Column
from conveyor.messaging.order import AWAITING, COMPLETED
from conveyor.messaging.routing_slip import Flow
from conveyor.messaging.tables import orders
from conveyor.messaging.transaction import Tx
from conveyor.services.bookings.tables import bookings, resources
from conveyor.services.inventory.store import reservations, stock
from conveyor.services.restaurants.model import UNDER_WAY
from conveyor.services.restaurants.store import restaurants, tickets
from conveyor.services.riders.model import LIVE
from conveyor.services.riders.store import offers, riders
from conveyor.services.shipping.model import DELIVERED, DISPATCHED
from conveyor.services.shipping.store import shipments
from conveyor.services.subscriptions.tables import renewals, subscriptions

SHIP = "shipping.ship"
_o = orders.c
_OWNED = (tickets, offers, bookings, renewals)


def check_whose(tx: Tx, flows: list[Flow]) -> list[Finding]:
    """Look across all merchants; each table is read whole."""
    return [_merchants(tx), _needed(tx), _shipped(tx, flows)]


def _merchants(tx: Tx) -> Finding:
    finding = Finding("of_one_merchant", 11, "What belongs to an order is its own merchant's")
    for table in _OWNED:
        joined = table.join(orders, _o.id == table.c.order_id)
        look(tx, finding, (joined, _o.id, sa.true()), table.c.merchant != _o.merchant)
    return finding


def _needed(tx: Tx) -> Finding:
    finding = Finding(
        "what_it_needs_is_there", 5, "The stock, resource, rider or kitchen of an order exists"
    )
    r, s = reservations.c, stock.c
    there = sa.exists().where(s.merchant == _o.merchant, s.sku == r.sku)
    held = reservations.join(orders, _o.id == r.order_id)
    look(tx, finding, (held, _o.id, sa.true()), sa.not_(there))
    b = bookings.c
    _look_for(
        tx, finding, bookings, sa.true(), resources.c.merchant == b.merchant,
        resources.c.name == b.resource,
    )  # fmt: skip
    f = offers.c
    _look_for(
        tx, finding, offers, f.state.in_(sorted(LIVE)), riders.c.merchant == f.merchant,
        riders.c.id == f.rider,
    )  # fmt: skip
    t = tickets.c
    _look_for(
        tx, finding, tickets, t.state.in_(sorted(UNDER_WAY)), restaurants.c.merchant == t.merchant,
        restaurants.c.id == t.restaurant,
    )  # fmt: skip
    n = renewals.c
    _look_for(
        tx, finding, renewals, sa.true(), subscriptions.c.merchant == n.merchant,
        subscriptions.c.id == n.subscription,
    )  # fmt: skip
    return finding


def _look_for(
    tx: Tx, finding: Finding, table: sa.Table, among: Column, *where: sa.ColumnElement[bool]
) -> None:
    look(tx, finding, (table, table.c.order_id, among), sa.not_(sa.exists().where(*where)))


def _shipped(tx: Tx, flows: list[Flow]) -> Finding:
    ships = {
        flow.key: at for flow in flows for at, line in enumerate(flow.steps) if line.name == SHIP
    }
    mine = shipments.c.order_id == _o.id
    arrived = sa.exists().where(mine, shipments.c.state == DELIVERED)
    on_its_way = sa.exists().where(mine, shipments.c.state.in_((DISPATCHED, DELIVERED)))
    awaited = sa.or_(
        sa.false(), *(sa.and_(_o.flow == flow, _o.position == at) for flow, at in ships.items())
    )
    ended = sa.and_(_o.status == COMPLETED, _o.flow.in_(ships))
    waits = sa.and_(_o.status == AWAITING, awaited)
    finding = Finding(
        "completed_is_delivered",
        1,
        "Completed means that the carrier confirmed the delivery, and who awaits it was dispatched",
    )
    look(tx, finding, (orders, _o.id, ended), sa.not_(arrived))
    return look(tx, finding, (orders, _o.id, waits), sa.not_(on_its_way))
