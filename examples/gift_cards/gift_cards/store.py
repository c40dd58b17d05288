"""The table of cards; one an order. Money is in minor units."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from conveyor.extension import Tx

GOOD, TAKEN_BACK = "good", "taken back"

metadata = sa.MetaData()
cards = sa.Table(
    "gift_cards",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("merchant", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
)


class Card(NamedTuple):
    """A gift card, named by the order that paid for it."""

    order_id: str
    merchant: str
    recipient: str
    currency: str
    value: int
    state: str


_FIND = sa.select(*(cards.c[name] for name in Card._fields)).where(
    cards.c.order_id == sa.bindparam("of_order")
)
_MAKE = sa.insert(cards)
_TAKE_BACK = (
    sa.update(cards).where(cards.c.order_id == sa.bindparam("of_order")).values(state=TAKEN_BACK)
)


def find(tx: Tx, order_id: str) -> Card | None:
    """Give the card that an order paid for."""
    row = tx.execute(_FIND, {"of_order": order_id}).one_or_none()
    return Card._make(row) if row else None


def make(tx: Tx, card: Card) -> None:
    """Write a new card down."""
    tx.later(_MAKE, card._asdict())


def take_back(tx: Tx, order_id: str) -> None:
    """End the card of an order that is undone; harmless where there is none."""
    tx.later(_TAKE_BACK, {"of_order": order_id})
