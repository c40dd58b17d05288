"""The attempts of calls to providers, as they are on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.call_state import IN_EFFECT, OPEN, CallState
from conveyor.core.statements import one_of
from conveyor.core.tables import calls
from conveyor.core.transaction import Tx

IS_OPEN = sa.or_(*(calls.c.state == state for state in sorted(OPEN)))
_MAY_BE_REPEATED = sa.or_(IS_OPEN, calls.c.state == CallState.NOT_APPLIED)
# What was asked is only read again while it may be asked again.
_COLUMNS = [
    sa.case((_MAY_BE_REPEATED, column), else_="").label(column.name)
    if column.name == "request"
    else column
    for column in calls.c
]
_OF_ORDERS = (
    sa.select(*_COLUMNS)
    .where(one_of(calls.c.order_id, "ids"))
    .order_by(calls.c.order_id, calls.c.attempt)
)
_OF_ORDER = (
    sa.select(*_COLUMNS)
    .where(calls.c.order_id == sa.bindparam("of_order"))
    .order_by(calls.c.intended_at, calls.c.step, calls.c.attempt)
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `calls`. Until `may_run_until` a request with its key may still take effect."""

    order_id: str
    step: str
    attempt: int
    state: CallState
    intended_at: int
    ended_at: int | None
    may_run_until: int
    taken: int
    request: str

    @property
    def is_open(self) -> bool:
        """Whether it is not known what became of it."""
        return self.state in OPEN


def latest(tx: Tx, order_ids: Sequence[str]) -> dict[tuple[str, str], Attempt]:
    """Give the newest attempt of each order and step."""
    rows = tx.execute(_OF_ORDERS, {"ids": list(order_ids)}).all()
    return {(row[0], row[1]): Attempt(*row) for row in rows}


def of_order(tx: Tx, order_id: str) -> list[Attempt]:
    """Give all attempts of an order, in the order in which they were begun."""
    return [Attempt(*row) for row in tx.execute(_OF_ORDER, {"of_order": order_id})]


def has_effect(tx: Tx, order_id: str, step: str) -> bool:
    """Whether a call of this step has, or may have, taken effect, be it not the last."""
    return any(it.step == step and it.state in IN_EFFECT for it in of_order(tx, order_id))
