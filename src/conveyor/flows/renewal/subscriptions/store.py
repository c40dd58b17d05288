"""Plans and subscriptions, as they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import lru_cache
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from conveyor.core.statements import one_of
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert, SelectedRow
from conveyor.flows.renewal.subscriptions.model import Plan, Subscription, SubscriptionStatus
from conveyor.flows.renewal.subscriptions.tables import plans, subscriptions

MAX_REMEMBERED = 1_000
"""Plans that are read from equal rows but once."""
COLUMNS = tuple(subscriptions.c)
PLAN_COLUMNS = tuple(plans.c)
_KEY = ("merchant", "id")
_KEPT = ("months", "currency")
_SAVED = tuple(f"b_{c.name}" for c in COLUMNS)
_values = attrgetter(*(c.name for c in COLUMNS))

_s = subscriptions.c
_of_merchant: sa.BindParameter[Any] = sa.bindparam("of_merchant")
_PLANS = sa.select(plans).where(plans.c.merchant == _of_merchant).order_by(plans.c.id)
_ADD = PerDialect(lambda insert: insert(subscriptions).on_conflict_do_nothing())
_FIND = sa.select(subscriptions).where(_s.merchant == _of_merchant, one_of(_s.id, "ids"))
_TAKEN = _FIND.with_only_columns(_s.id)
_LOCK = _FIND.order_by(_s.id).with_for_update()
_SAVE = (
    sa.update(subscriptions)
    .where(_s.merchant == sa.bindparam("b_merchant"), _s.id == sa.bindparam("b_id"))
    .values({c.name: sa.bindparam(f"b_{c.name}") for c in COLUMNS if c.name not in _KEY})
)


def _set_plan(insert: DialectInsert) -> sa.Executable:
    row = insert(plans)
    changed = {c.name: row.excluded[c.name] for c in plans.c if c.name not in _KEY}
    # Of two who write one plan for the first time, the second meets the first one's here.
    alike = sa.and_(*(plans.c[name] == row.excluded[name] for name in _KEPT))
    upsert = row.on_conflict_do_update(index_elements=list(_KEY), set_=changed, where=alike)
    written: sa.Executable = upsert.returning(plans.c.id)
    return written


_SET_PLAN = PerDialect(_set_plan)


def set_plan(tx: Tx, plan: Plan) -> bool:
    """Write a plan, or change it: from the next renewal that is started it is as it says here.

    Gives False, and writes nothing, where it has other months or another currency than before.
    """
    row = asdict(plan) | {"retry_days": " ".join(map(str, plan.retry_days))}
    return tx.execute(_SET_PLAN, row).first() is not None


def plans_of(tx: Tx, merchant: str) -> dict[str, Plan]:
    """Read all plans of a merchant, by id."""
    return {row.id: plan_from(row) for row in tx.execute(_PLANS, {"of_merchant": merchant})}


def plan_from(row: Sequence[Any]) -> Plan:
    """Read `PLAN_COLUMNS`."""
    return _plan(*row)


@lru_cache(MAX_REMEMBERED)
def _plan(*row: SelectedRow) -> Plan:
    merchant, name, price, currency, months, trial, retries, grace, afterwards = row
    days = tuple(map(int, retries.split()))
    return Plan(merchant, name, price, currency, months, trial, days, grace, afterwards)


def add(tx: Tx, new: Iterable[Subscription]) -> int:
    """Write new subscriptions; those whose id is taken stay as they are. Gives the number added."""
    wanted = {(one.merchant, one.id): one for one in reversed(list(new))}
    for merchant in {merchant for merchant, _ in wanted}:
        ids = [name for of_merchant, name in wanted if of_merchant == merchant]
        for row in tx.execute(_TAKEN, {"of_merchant": merchant, "ids": ids}):
            del wanted[merchant, row.id]
    for one in wanted.values():
        tx.later(_ADD, asdict(one))
    return len(wanted)


def find(
    tx: Tx, merchant: str, ids: Sequence[str], *, lock: bool = False
) -> dict[str, Subscription]:
    """Read subscriptions by id, locked until the transaction ends if so asked."""
    rows = tx.execute(_LOCK if lock else _FIND, {"of_merchant": merchant, "ids": list(ids)})
    return {row.id: Subscription(*row) for row in rows}


def save(tx: Tx, changed: Subscription) -> None:
    """Write a subscription that was read under its lock, before the commit."""
    tx.later(_SAVE, dict(zip(_SAVED, _values(changed), strict=True)), must_match=True)


def listing(
    tx: Tx, merchant: str, *, status: SubscriptionStatus | None, limit: int, cursor: str
) -> list[Subscription]:
    """List subscriptions by id; the cursor is the last id of the page before."""
    query = sa.select(subscriptions).where(_s.merchant == merchant, _s.id > cursor)
    if status is not None:
        query = query.where(_s.status == status)
    return [Subscription(*row) for row in tx.execute(query.order_by(_s.id).limit(limit))]


def count_by_status(tx: Tx, merchant: str) -> dict[str, int]:
    """Count a merchant's subscriptions."""
    query = sa.select(_s.status, sa.func.count()).where(_s.merchant == merchant)
    return {status: int(count) for status, count in tx.execute(query.group_by(_s.status))}
