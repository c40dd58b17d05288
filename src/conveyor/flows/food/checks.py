"""Food: one rider an order, nobody carries too much, and nothing is left of an order at its end."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.checks import Check, Examination, Finding, check_rows
from conveyor.checks.columns import went_through
from conveyor.checks.finding import needed
from conveyor.core.order_status import TERMINAL
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.flows import FOOD
from conveyor.flows.food.restaurants.model import UNDER_WAY, TicketState
from conveyor.flows.food.restaurants.store import restaurants, tickets
from conveyor.flows.food.riders.model import LIVE, STANDING, OfferState
from conveyor.flows.food.riders.store import offers, riders

_o, _t, _f, _r = orders.c, tickets.c, offers.c, riders.c

_rival = offers.alias()
_rivals = sa.exists().where(
    _rival.c.order_id == _f.order_id,
    _rival.c.rider != _f.rider,
    _rival.c.state.in_(STANDING),
)
_carried = (
    sa.select(sa.func.count())
    .where(_f.merchant == _r.merchant, _f.rider == _r.id, _f.state.in_(LIVE))
    .correlate(riders)
    .scalar_subquery()
)
_delivered = sa.exists().where(_f.order_id == _o.id, _f.state == OfferState.DELIVERED)
_collected = sa.exists().where(_t.order_id == _o.id, _t.state == TicketState.COLLECTED)
_ticket_open = sa.exists().where(_t.order_id == _o.id, _t.state.in_(UNDER_WAY))
_offer_open = sa.exists().where(_f.order_id == _o.id, _f.state.in_(LIVE))


def check_food(tx: Tx, _: Examination) -> list[Finding]:
    """Hold tickets, offers and riders against one another and against their orders."""
    meals = (orders, _o.id, _o.flow.startswith(f"{FOOD.name}@"))
    return [
        check_rows(
            tx,
            Finding("one_rider_an_order", 5, "No order is offered to or carried by two riders"),
            (offers, _f.order_id, _f.state.in_(STANDING)),
            _rivals,
        ),
        check_rows(
            tx,
            Finding("rider_load", 5, "A rider's load is what is offered and carried, in capacity"),
            (riders, _r.id, sa.true()),
            sa.or_(_r.load != _carried, _r.load > _r.capacity),
        ),
        check_rows(
            tx,
            Finding("meal_delivered", 1, "Completed means that a rider brought it"),
            meals,
            sa.and_(went_through(), sa.not_(sa.and_(_delivered, _collected))),
        ),
        check_rows(
            tx,
            Finding("meal_cleared", 6, "Nobody prepares or carries for an order at its end"),
            meals,
            sa.and_(_o.status.in_(sorted(TERMINAL)), sa.or_(_ticket_open, _offer_open)),
        ),
    ]


def check_needed(tx: Tx, _: Examination) -> list[Finding]:
    """See that there is the rider and the kitchen of what is under way."""
    rider = sa.exists().where(_r.merchant == _f.merchant, _r.id == _f.rider)
    offered = (offers, _f.order_id, _f.state.in_(sorted(LIVE)))
    kitchen = sa.exists().where(
        restaurants.c.merchant == _t.merchant, restaurants.c.id == _t.restaurant
    )
    cooked = (tickets, _t.order_id, _t.state.in_(sorted(UNDER_WAY)))
    finding = check_rows(tx, needed(), offered, sa.not_(rider))
    return [check_rows(tx, finding, cooked, sa.not_(kitchen))]


CHECKS: tuple[Check, ...] = (check_food, check_needed)
