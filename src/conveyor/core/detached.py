"""Months whose timelines and calls were detached: what is missing there is missing on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.tables import detached_months
from conveyor.core.transaction import Tx


@dataclass(frozen=True, slots=True)
class Detached:
    """A month, or all before one, with the ids `since` <= id < `until`."""

    name: str
    since: str
    until: str
    detached_at: int


_ALL = sa.select(detached_months).order_by(detached_months.c.since)
_OF_ORDER = sa.select(detached_months).where(
    detached_months.c.since <= sa.bindparam("of_order"),
    detached_months.c.until > sa.bindparam("of_order"),
)


def all_detached(tx: Tx) -> list[Detached]:
    """Give them, the oldest first."""
    return [Detached(*row) for row in tx.execute(_ALL)]


def detached_with(tx: Tx, order_id: str) -> Detached | None:
    """Give the month that an order's story went with; None: it is here."""
    row = tx.execute(_OF_ORDER, {"of_order": order_id}).first()
    return None if row is None else Detached(*row)


def is_within(column: sa.ColumnElement[str], months: Iterable[Detached]) -> sa.ColumnElement[bool]:
    """Say of an order's id that it is of one of these months."""
    within = (sa.and_(column >= it.since, column < it.until) for it in months)
    return sa.or_(sa.false(), *within)
