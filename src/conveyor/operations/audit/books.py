"""Reads our books in the form of a provider's statement, so that both can be held side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from conveyor.checks.columns import Column, on_page
from conveyor.checks.pages import Page
from conveyor.commerce.payments.ports import Moved
from conveyor.commerce.payments.store import payments
from conveyor.core import attempts
from conveyor.core.statements import one_of
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.core.untyped import SelectedRow


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


def read_books(tx: Tx, page: Page, services: Collection[str]) -> dict[str, Books]:
    """Read our books of the page's orders; `services` are those whose steps move money."""
    rows = tx.execute(_ours(services, on_page), page.bounds).all()
    return {row[0]: _books(row) for row in rows}


def read_again(tx: Tx, order_ids: Sequence[str], services: Collection[str]) -> dict[str, Books]:
    """Read our books of these orders, those of them that exist."""
    ours = _ours(services, lambda column: one_of(column, "ids"))
    return {row[0]: _books(row) for row in tx.execute(ours, {"ids": list(order_ids)}).all()}


def _ours(services: Collection[str], which: Callable[[Column], Column]) -> sa.Select[Any]:
    tried, o, p = attempts.summed_up(services, which), orders.c, payments.c
    is_open = sa.func.coalesce(tried.c.open, 0)
    called = attempts.called_in(tried, o.id)
    sums = (p.currency, p.authorized, p.captured, p.refunded, p.voided)
    source = orders.outerjoin(payments, sa.and_(p.order_id == o.id, which(p.order_id)))
    source = source.outerjoin(tried, tried.c.order_id == o.id)
    ours = sa.select(o.id, o.version, is_open, o.total, *sums, o.merchant, called)
    return ours.select_from(source).where(which(o.id))


def _books(row: SelectedRow) -> Books:
    _, version, is_open, total, currency, authorized, captured, refunded, voided, *whose = row
    known = currency is not None
    sums = Moved(currency, authorized, captured, refunded, bool(voided)) if known else Moved()
    return Books(version, bool(is_open), total, sums, *whose)
