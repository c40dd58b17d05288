"""Seats and rooms: they add up, none is given away twice, and they went to the earliest."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.checks import MAX_EXAMPLES, Check, Examination, Finding, check_rows
from conveyor.checks.columns import Column, count_if, went_through
from conveyor.checks.finding import needed
from conveyor.core.archived import sums_of
from conveyor.core.order_status import UNDONE
from conveyor.core.tables import orders, turns
from conveyor.core.transaction import Tx
from conveyor.flows.travel.archiving import ASKED
from conveyor.flows.travel.bookings.model import BookingState
from conveyor.flows.travel.bookings.tables import bookings, resources

_r, _b = resources.c, bookings.c
_HAS = (BookingState.HELD, BookingState.BOOKED)


def _sum_in(state: BookingState, amount: Column) -> Column:
    return sa.func.sum(sa.case((_b.state == state, amount), else_=0)).label(state)


_asked = (
    sa.select(
        _b.merchant,
        _b.resource,
        _sum_in(BookingState.HELD, _b.quantity),
        _sum_in(BookingState.BOOKED, _b.quantity),
        _sum_in(BookingState.WAITING, sa.literal(1)),
        sa.func.count().label("asked"),
        sa.func.max(_b.number).label("last"),
    )
    .group_by(_b.merchant, _b.resource)
    .subquery()
)
# What went into the archive with its orders; see `archiving`.
_gone_booked, _gone_asked = (sums_of(bookings.name, what) for what in (BookingState.BOOKED, ASKED))
_resources = resources.outerjoin(
    _asked, sa.and_(_asked.c.merchant == _r.merchant, _asked.c.resource == _r.name)
)
for _gone in (_gone_booked, _gone_asked):
    _of_resource = sa.and_(_gone.c.merchant == _r.merchant, _gone.c.name == _r.name)
    _resources = _resources.outerjoin(_gone, _of_resource)
_ARCHIVED = {BookingState.BOOKED: sa.func.coalesce(_gone_booked.c.amount, 0)}
_archived_asked = sa.func.coalesce(_gone_asked.c.amount, 0)
_MISCOUNTED = sa.or_(
    *(
        _r[name] != sa.func.coalesce(_asked.c[name], 0) + _ARCHIVED.get(name, sa.literal(0))
        for name in (BookingState.HELD, BookingState.BOOKED, BookingState.WAITING)
    ),
    _r.asked != sa.func.coalesce(_asked.c.asked, 0) + _archived_asked,
    # The last that asked may be in the archive.
    sa.case(
        (_archived_asked > 0, _r.asked < sa.func.coalesce(_asked.c.last, 0)),
        else_=_r.asked != sa.func.coalesce(_asked.c.last, 0),
    ),
)
_OVER = sa.or_(
    (_r.held + _r.booked) * 100 > _r.capacity * (100 + _r.overbooking),
    *(part < 0 for part in (_r.held, _r.booked, _r.waiting)),
)
_of_order = bookings.join(orders, orders.c.id == _b.order_id)
_UNLIKE_ORDER = sa.or_(
    sa.and_(went_through(), _b.state != BookingState.BOOKED),
    sa.and_(
        orders.c.status.in_(sorted(UNDONE)),
        _b.state.in_((*_HAS, BookingState.WAITING)),
    ),
)
# The turn that the request before it was taken at, of those that had one.
_numbered = (
    sa.select(
        _b.order_id,
        _b.turn,
        sa.func.lag(_b.turn)
        .over(partition_by=(_b.merchant, _b.resource), order_by=_b.number)
        .label("turn_before"),
    )
    .where(_b.turn > 0)
    .subquery()
)
_waits = bookings.alias()
_OVERTOOK = sa.and_(
    _b.state.in_(_HAS),
    sa.not_(_b.again),
    sa.exists().where(
        _waits.c.merchant == _b.merchant,
        _waits.c.resource == _b.resource,
        _waits.c.state == BookingState.WAITING,
        _waits.c.number < _b.number,
    ),
)
_late_turn = orders.outerjoin(turns, turns.c.group_key == orders.c.group_key)
_TURN_TOO_HIGH = sa.and_(
    orders.c.sequence > 0, orders.c.sequence > sa.func.coalesce(turns.c.last, 0)
)


def check_bookings(tx: Tx, _: Examination) -> list[Finding]:
    """Check every resource and every booking of every merchant. Reads both tables whole."""
    return [*_seats(tx), *_orders(tx), *_order_of_turns(tx)]


def _seats(tx: Tx) -> list[Finding]:
    name = _r.merchant + "/" + _r.name
    return [
        _finding(
            tx,
            ("seats_within_limit", 5, "No resource is given away beyond its overbooking"),
            (_OVER, resources, name),
        ),
        _finding(
            tx,
            ("seats_add_up", 5, "Held, booked and waiting are the sums of the orders' bookings"),
            (_MISCOUNTED, _resources, name),
        ),
    ]


def _orders(tx: Tx) -> list[Finding]:
    return [
        _finding(
            tx,
            (
                "bookings_follow_orders",
                5,
                "Completed means booked; an order that is undone has nothing and waits for nothing",
            ),
            (_UNLIKE_ORDER, _of_order, _b.order_id),
        )
    ]


def _order_of_turns(tx: Tx) -> list[Finding]:
    before = _numbered.c.turn <= _numbered.c.turn_before
    return [
        _finding(
            tx,
            ("bookings_in_turn", 8, "Requests for a resource were taken in the order they came"),
            (before, _numbered, _numbered.c.order_id),
        ),
        _finding(
            tx,
            ("nobody_overtook", 8, "Nobody has a place who came after one who waits for one"),
            (_OVERTOOK, bookings, _b.order_id),
        ),
        _finding(
            tx,
            ("turns_are_given", 8, "No order has a turn that its message group has not given"),
            (_TURN_TOO_HIGH, _late_turn, orders.c.id),
        ),
    ]


def _finding(
    tx: Tx, about: tuple[str, int, str], broken: tuple[Column, sa.FromClause, Column]
) -> Finding:
    name, invariant, says = about
    is_broken, source, example = broken
    query = sa.select(sa.func.count(), count_if(is_broken)).select_from(source)
    examined, violations = tx.execute(query).one()
    examples: list[str] = []
    if violations:
        which = sa.select(example).select_from(source).where(is_broken).limit(MAX_EXAMPLES)
        examples = [str(found) for found in tx.execute(which).scalars()]
    return Finding(name, invariant, says, int(examined), int(violations), examples)


def check_needed(tx: Tx, _: Examination) -> list[Finding]:
    """See that there is the resource of each booking."""
    there = sa.exists().where(_r.merchant == _b.merchant, _r.name == _b.resource)
    return [check_rows(tx, needed(), (bookings, _b.order_id, sa.true()), sa.not_(there))]


CHECKS: tuple[Check, ...] = (check_bookings, check_needed)
