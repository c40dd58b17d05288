"""What must be true of gift cards."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.checks import Check, Examination, Finding, check_rows
from conveyor.core.tables import orders
from conveyor.extension import OrderStatus, Tx
from gift_cards.store import GOOD, cards

PAID = 4
"""The invariant that it belongs to: completed means that who paid has what was paid for."""


def check_cards(tx: Tx, _: Examination) -> list[Finding]:
    """Whoever has paid has a card, and it is good for what was paid."""
    good = sa.exists().where(
        cards.c.order_id == orders.c.id, cards.c.state == GOOD, cards.c.value == orders.c.total
    )
    gifts = sa.and_(orders.c.flow.startswith("gift@"), orders.c.status == OrderStatus.COMPLETED)
    finding = Finding("card_is_good", PAID, "Who has paid has a card, good for what was paid")
    return [check_rows(tx, finding, (orders, orders.c.id, gifts), sa.not_(good))]


CHECKS: tuple[Check, ...] = (check_cards,)
