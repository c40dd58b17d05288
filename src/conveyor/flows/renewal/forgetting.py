"""A customer who is to be forgotten: their card is taken out of what has ended."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from conveyor.core.transaction import Tx
from conveyor.extension import Kept, OfCustomer
from conveyor.flows.renewal.subscriptions.model import LIVE
from conveyor.flows.renewal.subscriptions.tables import subscriptions

ERASED = "erased"

_s = subscriptions.c
_THEIRS = (_s.merchant == sa.bindparam("of_merchant"), _s.customer == sa.bindparam("of_customer"))
_LIVE = sa.select(_s.id).where(*_THEIRS, _s.status.in_(sorted(LIVE))).order_by(_s.id)
_ERASE = (
    sa.update(subscriptions)
    .where(*_THEIRS, _s.status.not_in(sorted(LIVE)))
    .values(card=ERASED, new_card=sa.false())
)


def forget(tx: Tx, whose: OfCustomer) -> Iterable[Kept]:
    """Keep the card of a subscription that goes on: it is charged again."""
    if not whose.is_last:
        return []
    key = {"of_merchant": whose.merchant, "of_customer": whose.customer}
    tx.execute(_ERASE, key)
    return [Kept(f"subscription {name}", "goes on") for (name,) in tx.execute(_LIVE, key)]
