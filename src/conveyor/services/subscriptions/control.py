"""What an operator decides about a merchant's renewals: which may start, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from conveyor.messaging.transaction import PerDialect, Tx
from conveyor.services.subscriptions import store
from conveyor.services.subscriptions.model import Plan, Subscription, shares_in
from conveyor.services.subscriptions.pace import Admitted, admit
from conveyor.services.subscriptions.tables import controls, plans, subscriptions

ALL = 100.0


@dataclass(frozen=True, slots=True)
class Control:
    """Renewals of the first `per_cent` start, 0 while paused; `per_second` is None for no limit."""

    per_cent: float = ALL
    per_second: float | None = None
    free_at: int = 0

    @property
    def paused(self) -> bool:
        """Whether nothing starts."""
        return self.per_cent <= 0


_c = controls.c
_READ = sa.select(_c.per_cent, _c.per_second, _c.free_at).where(
    _c.merchant == sa.bindparam("of_merchant")
)
_LOCK = _READ.with_for_update()
_SPEND = (
    sa.update(controls)
    .where(_c.merchant == sa.bindparam("b_merchant"))
    .values(free_at=sa.bindparam("b_free_at"))
)


def _set(insert: Any) -> sa.Executable:  # noqa: ANN401 - either dialect's
    row = insert(controls).values(free_at=0)
    changed = {name: row.excluded[name] for name in ("per_cent", "per_second")}
    upsert: sa.Executable = row.on_conflict_do_update(index_elements=["merchant"], set_=changed)
    return upsert


_SET = PerDialect(_set)

_s, _p = subscriptions.c, plans.c
# A subscription that another scan is taking now is passed over, not waited for.
_DUE = (
    sa.select(*store.COLUMNS, *store.PLAN_COLUMNS)
    .select_from(subscriptions)
    .join(
        plans,
        sa.and_(
            _p.merchant == _s.merchant,
            _p.id == sa.case((_s.next_plan == "", _s.plan), else_=_s.next_plan),
        ),
    )
    .where(
        _s.merchant == sa.bindparam("of_merchant"),
        _s.due_at <= sa.bindparam("now"),
        _s.share < sa.bindparam("shares"),
    )
    .order_by(_s.due_at, _s.id)
    .limit(sa.bindparam("page"))
)
_TAKE = _DUE.with_for_update(of=subscriptions, skip_locked=True)
_MERCHANTS = (
    sa.select(_s.merchant).where(_s.due_at <= sa.bindparam("now")).distinct().order_by(_s.merchant)
)


def read(tx: Tx, merchant: str, *, lock: bool = False) -> Control:
    """Read what was decided for a merchant."""
    query = _LOCK if lock else _READ
    row = tx.execute(query, {"of_merchant": merchant}).one_or_none()
    return Control(*row) if row else Control()


def decide(tx: Tx, merchant: str, per_cent: float, per_second: float | None) -> None:
    """Write a decision: it holds from the next page of any scan."""
    row = {"merchant": merchant, "per_cent": per_cent, "per_second": per_second}
    tx.execute(_SET, row)


def spend(tx: Tx, merchant: str, now_ms: int, wanted: int) -> Admitted:
    """Take tokens of the merchant's bucket; where there is a limit, scans take them in turn."""
    control = read(tx, merchant)
    if control.per_second is None:
        return Admitted(wanted, control.free_at)
    control = read(tx, merchant, lock=True)
    admitted = admit(control.free_at, now_ms, control.per_second or 1.0, wanted)
    if admitted.count:
        tx.execute(_SPEND, {"b_merchant": merchant, "b_free_at": admitted.free_at})
    return admitted


def due(
    tx: Tx, merchant: str, now_ms: int, *, per_cent: float, limit: int, take: bool
) -> list[tuple[Subscription, Plan]]:
    """Read a page of what is due, each with the plan of its next period; locked if to be taken."""
    page = {"of_merchant": merchant, "now": now_ms, "shares": shares_in(per_cent), "page": limit}
    many = len(store.COLUMNS)
    return [
        (Subscription(*row[:many]), store.plan_from(row[many:]))
        for row in tx.execute(_TAKE if take else _DUE, page)
    ]


def merchants_with_due(tx: Tx, now_ms: int) -> Sequence[str]:
    """Name the merchants that have something due."""
    return tx.execute(_MERCHANTS, {"now": now_ms}).scalars().all()


def count_due(tx: Tx, merchant: str, now_ms: int, per_cent: float) -> dict[str, tuple[int, int]]:
    """Count what is due and add up what it costs, by currency."""
    page = {"of_merchant": merchant, "now": now_ms, "shares": shares_in(per_cent)}
    found = (
        _DUE.limit(None)
        .order_by(None)
        .with_only_columns(_p.currency, sa.func.count(), sa.func.sum(_p.price))
    )
    rows = tx.execute(found.group_by(_p.currency), page)
    return {currency: (int(count), int(price)) for currency, count, price in rows}
