"""Which orders must stay in the database, though they are at their end, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from conveyor.commerce.payments.store import payments
from conveyor.core.attempts import IS_OPEN
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.routing_slip import Flow, flow_name
from conveyor.core.statements import one_of
from conveyor.core.tables import calls, orders, outbox, parked
from conveyor.core.transaction import Tx
from conveyor.extension import Extension

MONEY = "has money that is not in balance"
NOT_INSTALLED = "is of a flow that is not installed here"
_CHARGES = "payments"


def _among(column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    return one_of(column, "ids")


_OPEN: Mapping[str, sa.Select[tuple[str]]] = {
    "is owed a message": sa.select(outbox.c.order_id).where(_among(outbox.c.order_id)),
    "stands in front of an operator": sa.select(parked.c.order_id).where(_among(parked.c.order_id)),
    "has a call without an answer": sa.select(calls.c.order_id).where(
        one_of(calls.c.order_id, "ids", bounded=True), IS_OPEN
    ),
}
_p = payments.c
_kept = sa.func.coalesce(_p.captured - _p.refunded, 0)
_held = sa.and_(_p.captured == 0, _p.authorized > 0, sa.not_(_p.voided))
_undone = orders.c.status != OrderStatus.COMPLETED
# As the audit judges it: completed means paid, any other end that no more is kept than a fee.
_OUT_OF_BALANCE = (
    sa.select(orders.c.id, orders.c.flow, _p.order_id.is_(None))
    .outerjoin(payments, _p.order_id == orders.c.id)
    .where(
        _among(orders.c.id),
        sa.or_(
            sa.and_(_undone, sa.or_(_kept != sa.func.coalesce(_p.fee, 0), _held)),
            sa.and_(sa.not_(_undone), _kept != orders.c.total),
        ),
    )
)


def held_back(
    tx: Tx, found: Sequence[Order], flows: Iterable[Flow], extensions: Sequence[Extension]
) -> dict[str, str]:
    """Give those of these orders that must stay, each with why."""
    asked = {"ids": [order.id for order in found]}
    why: dict[str, str] = {}
    for extension in extensions:
        why |= extension.archiving.holds(tx, asked["ids"])
    paid = {it.key for it in flows if any(line.service == _CHARGES for line in it.steps)}
    for order_id, flow, unpaid in tx.execute(_OUT_OF_BALANCE, asked).all():
        if flow in paid or not unpaid:
            why[order_id] = MONEY
    for reason, query in _OPEN.items():
        why |= dict.fromkeys(tx.execute(query, asked).scalars(), reason)
    known = {flow.name for it in extensions for flow in it.flows}
    missing = [order.id for order in found if flow_name(order.flow) not in known]
    return why | dict.fromkeys(missing, NOT_INSTALLED)
