"""What is not about one order at a time: how many there are, and idempotency keys."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.checks import MAX_EXAMPLES, Check, Examination, Finding
from conveyor.checks.columns import count_if
from conveyor.commerce.orders.store import idempotency
from conveyor.core.archived import archived_count, archived_orders
from conveyor.core.detached import all_detached, is_within
from conveyor.core.placed_counts import compare
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx

_keyed = idempotency.outerjoin(orders, orders.c.id == idempotency.c.order_id).outerjoin(
    archived_orders, archived_orders.c.order_id == idempotency.c.order_id
)
_KEYS = sa.select(sa.func.count(), sa.func.count(sa.distinct(idempotency.c.order_id))).select_from(
    idempotency
)
_SHARED = (
    sa.select(idempotency.c.order_id)
    .group_by(idempotency.c.order_id)
    .having(sa.func.count() > 1)
    .limit(MAX_EXAMPLES)
)
_lost = sa.and_(orders.c.id.is_(None), archived_orders.c.order_id.is_(None))
_foreign = sa.func.coalesce(orders.c.merchant, archived_orders.c.merchant) != idempotency.c.merchant
_TWICE = (
    sa.select(archived_orders.c.order_id)
    .join(orders, orders.c.id == archived_orders.c.order_id)
    .limit(MAX_EXAMPLES)
)
_BROKEN_KEYS = sa.select(count_if(_lost), count_if(_foreign)).select_from(_keyed)


def check_keys(tx: Tx, _: Examination) -> list[Finding]:
    """Whatever a key was answered with must be there, once, and be that merchant's."""
    keys, distinct = tx.execute(_KEYS).one()
    lost, foreign = tx.execute(_BROKEN_KEYS).one()
    return [
        Finding(
            "answered_exists",
            1,
            "Every order that was answered for by its key exists",
            int(keys),
            int(lost),
            _examples(tx, _lost) if lost else [],
        ),
        Finding(
            "one_key_one_order",
            2,
            "No two keys share an order",
            int(keys),
            int(keys - distinct),
            list(tx.execute(_SHARED).scalars()) if keys > distinct else [],
        ),
        Finding(
            "key_of_its_merchant",
            11,
            "A key places orders of its own merchant only",
            int(keys),
            int(foreign),
            _examples(tx, _foreign) if foreign else [],
        ),
    ]


def check_count(tx: Tx, _: Examination) -> list[Finding]:
    """Whoever is deleted whole leaves no other trace."""
    placed, there = compare(tx)
    archived = archived_count(tx)
    figures = {"placed": placed, "there": there} | ({"archived": archived} if archived else {})
    return [
        Finding(
            "placed_is_there",
            1,
            "As many orders are there, or archived, as were placed",
            placed,
            abs(placed - there - archived),
            figures=figures,
        )
    ]


def check_archived(tx: Tx, _: Examination) -> list[Finding]:
    """An order is in one place."""
    twice = list(tx.execute(_TWICE).scalars())
    says = "No order is in the archive and in the database"
    return [Finding("archived_once", 1, says, archived_count(tx), len(twice), twice)]


def check_detached(tx: Tx, _: Examination) -> list[Finding]:
    """Whatever is open needs its timeline and calls."""
    months = all_detached(tx)
    open_there = sa.and_(orders.c.settled_at.is_(None), is_within(orders.c.id, months))
    wrong = list(tx.execute(sa.select(orders.c.id).where(open_there)).scalars()) if months else []
    says = "Every order of a month whose timelines were detached is at its end"
    found = Finding("detached_have_ended", 6, says)
    found.add(len(months), len(wrong), wrong)
    return [found]


def _examples(tx: Tx, broken: sa.ColumnElement[bool]) -> list[str]:
    query = sa.select(idempotency.c.order_id).select_from(_keyed).where(broken).limit(MAX_EXAMPLES)
    return list(tx.execute(query).scalars())


CHECKS: tuple[Check, ...] = (check_keys, check_count, check_archived, check_detached)
"""Those of every system; flows bring their own."""
