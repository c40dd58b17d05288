"""What an operator decides about a merchant's renewals: which may start, and how fast."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert
from conveyor.flows.renewal.subscriptions.model import ALL_PER_CENT
from conveyor.flows.renewal.subscriptions.pace import Admitted, admit
from conveyor.flows.renewal.subscriptions.tables import controls


@dataclass(frozen=True, slots=True)
class Control:
    """Renewals of the first `per_cent` start, 0 while paused; `per_second` is None for no limit."""

    per_cent: float = ALL_PER_CENT
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


def _set(insert: DialectInsert) -> sa.Executable:
    row = insert(controls).values(free_at=0)
    changed = {name: row.excluded[name] for name in ("per_cent", "per_second")}
    upsert: sa.Executable = row.on_conflict_do_update(index_elements=["merchant"], set_=changed)
    return upsert


_SET = PerDialect(_set)


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
    if admitted.free_at != control.free_at:
        tx.execute(_SPEND, {"b_merchant": merchant, "b_free_at": admitted.free_at})
    return admitted
