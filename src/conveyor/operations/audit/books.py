"""Reads our books in the form of a provider's statement, so that both can be held side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from conveyor.checks.columns import on_page
from conveyor.checks.pages import Page
from conveyor.commerce.payments.ports import Moved
from conveyor.commerce.payments.store import payments
from conveyor.core import attempts
from conveyor.core.call_state import OPEN
from conveyor.core.tables import calls, orders
from conveyor.core.transaction import Tx
from conveyor.core.untyped import SelectedRow

IDS_A_QUERY = 500


class Books(NamedTuple):
    """Our entry of an order. While a call is open, or after the version moves, it may change."""

    version: int
    open: bool
    total: int
    sums: Moved
    merchant: str
    called: str

    def agree_with(self, theirs: Moved) -> bool:
        """Whether both say the same; with a call open, the provider may be one call ahead."""
        ours = self.sums
        if not self.open:
            return ours == theirs
        return (
            ours.authorized <= theirs.authorized <= self.total
            and ours.captured <= theirs.captured <= theirs.authorized
            and ours.refunded <= theirs.refunded <= theirs.captured
            and ours.voided <= theirs.voided
        )


_is_open = (
    sa.exists()
    .where(calls.c.order_id == orders.c.id, calls.c.state.in_(sorted(OPEN)))
    .label("open")
)
_OURS = sa.select(
    orders.c.id,
    orders.c.version,
    _is_open,
    orders.c.total,
    payments.c.currency,
    payments.c.authorized,
    payments.c.captured,
    payments.c.refunded,
    payments.c.voided,
    orders.c.merchant,
).outerjoin(payments, payments.c.order_id == orders.c.id)
_ON_PAGE = on_page(orders.c.id)
_BY_ID = orders.c.id.in_(sa.bindparam("ids", expanding=True))


def read_books(tx: Tx, page: Page, services: Collection[str]) -> dict[str, Books]:
    """Read our books of the page's orders; `services` are those whose steps move money."""
    ours = _ours(services).where(_ON_PAGE)
    return {row[0]: _books(row) for row in tx.execute(ours, page.bounds).all()}


def read_again(tx: Tx, order_ids: Sequence[str], services: Collection[str]) -> dict[str, Books]:
    """Read our books of these orders, those of them that exist."""
    ours = _ours(services).where(_BY_ID)
    found: dict[str, Books] = {}
    for start in range(0, len(order_ids), IDS_A_QUERY):
        some = {"ids": list(order_ids[start : start + IDS_A_QUERY])}
        found |= {row[0]: _books(row) for row in tx.execute(ours, some).all()}
    return found


def _ours(services: Collection[str]) -> sa.Select[Any]:
    return _OURS.add_columns(attempts.called(orders.c.id, services))


def _books(row: SelectedRow) -> Books:
    _, version, is_open, total, currency, authorized, captured, refunded, voided, *whose = row
    known = currency is not None
    sums = Moved(currency, authorized, captured, refunded, bool(voided)) if known else Moved()
    return Books(version, bool(is_open), total, sums, *whose)
