"""Open orders of which money and goods are apart: who owes whom what, and what that waits for.

Found on the index of the open orders, so it costs as much as there are, however many have settled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from conveyor.commerce.payments.store import payments
from conveyor.core import attempts
from conveyor.core.order import Order
from conveyor.core.routing_slip import Flow
from conveyor.core.tables import orders, parked
from conveyor.core.transaction import Tx
from conveyor.operations.explain.outlook import Known, waits_for
from conveyor.system.composition import App


class Debt(StrEnum):
    """What is owed."""

    REFUND = "refund"
    """To the customer: the order is undone or refunded, and its money not yet given back."""
    HOLD = "hold"
    """To the customer: the order is undone, and its money still held."""
    COLLECT = "collect"
    """By the customer: it was delivered, and not paid for."""
    GOODS = "goods"
    """To the customer: it was paid for, and is not at its end."""


@dataclass(frozen=True, slots=True)
class Sum:
    """So many orders of which the same is owed; `amount` is in minor units."""

    debt: Debt
    currency: str
    orders: int
    amount: int


@dataclass(frozen=True, slots=True)
class Owed:
    """An order of which something is owed; `waits` says for what, `cause` why it is parked."""

    order: Order
    debt: Debt
    amount: int
    waits: str
    cause: str


_kept = sa.func.coalesce(payments.c.captured - payments.c.refunded, 0)
_undone = orders.c.ending != sa.text("''")
_to_refund = _kept - sa.func.coalesce(payments.c.fee, 0)
_held = sa.and_(payments.c.captured == 0, payments.c.authorized > 0, sa.not_(payments.c.voided))


async def owed_orders(
    app: App,
    merchant: str | None,
    now_ms: int,
    *,
    only: Debt | None,
    limit: int,
    after: str = "",
) -> tuple[list[Sum], list[Owed]]:
    """Add up what is owed of a merchant's orders, or everybody's, and list some, oldest first.

    `after` is the id of the last one seen.
    """
    known = Known(app.engine.registry, app.ports.unbound)

    def read(tx: Tx) -> tuple[list[Sum], list[Owed]]:
        found = _owed(tx, known, merchant, now_ms, only=only, limit=limit, after=after)
        return _sums(tx, known.registry.flows.values(), merchant), found

    return await app.engine.database.read(read)


def _sums(tx: Tx, flows: Iterable[Flow], merchant: str | None) -> list[Sum]:
    debt, amount = _debt(flows)
    each = _open(sa.select(debt, orders.c.currency, amount), merchant).subquery()
    query = (
        sa.select(each.c.debt, each.c.currency, sa.func.count(), sa.func.sum(each.c.amount))
        .where(each.c.debt.is_not(None))
        .group_by(each.c.debt, each.c.currency)
    )
    found = [Sum(Debt(row[0]), row[1], int(row[2]), int(row[3])) for row in tx.execute(query)]
    return sorted(found, key=lambda it: ([*Debt].index(it.debt), it.currency))


def _owed(
    tx: Tx,
    known: Known,
    merchant: str | None,
    now_ms: int,
    *,
    only: Debt | None,
    limit: int,
    after: str,
) -> list[Owed]:
    debt, amount = _debt(known.registry.flows.values())
    query = _open(sa.select(debt, amount, parked.c.cause, orders), merchant)
    query = query.outerjoin(parked, parked.c.order_id == orders.c.id)
    query = query.where(debt.is_not(None) if only is None else debt == only.value)
    rows = tx.execute(query.where(orders.c.id > after).order_by(orders.c.id).limit(limit)).all()
    them = [(row, Order(*row[3:])) for row in rows]
    calls = attempts.latest(tx, [order.id for _, order in them]) if them else attempts.Attempts()
    found = []
    for row, order in them:
        wait = waits_for(tx, known, order, list(calls.of(order.id)), now_ms)
        waits, cause = wait.what if wait else "", row[2] or ""
        found.append(Owed(order, Debt(row[0]), int(row[1]), waits, cause))
    return found


def _open(query: sa.Select[Any], merchant: str | None) -> sa.Select[Any]:
    query = query.select_from(orders).outerjoin(payments, payments.c.order_id == orders.c.id)
    query = query.where(orders.c.settled_at.is_(None))
    if merchant is not None:
        # Not the plain column: for that SQLite would take the index of all orders of a merchant.
        query = query.where(orders.c.merchant.concat("") == merchant)
    return query


def _debt(flows: Iterable[Flow]) -> tuple[sa.Label[str | None], sa.Label[int]]:
    past = sa.or_(
        sa.false(),
        *(
            sa.and_(orders.c.flow == flow.key, orders.c.position > _pivot_of(flow))
            for flow in flows
            if flow.pivot
        ),
    )
    cases = (
        (Debt.REFUND, sa.and_(_undone, _to_refund > 0), _to_refund),
        (Debt.HOLD, sa.and_(_undone, _held), payments.c.authorized),
        (Debt.COLLECT, sa.and_(~_undone, past, orders.c.total > _kept), orders.c.total - _kept),
        (Debt.GOODS, sa.and_(~_undone, sa.not_(past), _kept > 0), _kept),
    )
    debt = sa.case(*((when, sa.literal(kind.value)) for kind, when, _ in cases), else_=None)
    amount = sa.case(*((when, how_much) for _, when, how_much in cases), else_=0)
    return debt.label("debt"), amount.label("amount")


def _pivot_of(flow: Flow) -> int:
    return next(at for at, step in enumerate(flow.steps) if step.name == flow.pivot)
