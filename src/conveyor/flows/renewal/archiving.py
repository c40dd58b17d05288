"""What must stay of an order that goes into the archive: what a subscription stands on now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from conveyor.core.statements import one_of
from conveyor.extension import Archiving, Rows, Tx
from conveyor.flows.renewal.subscriptions.model import LIVE, RenewalState
from conveyor.flows.renewal.subscriptions.tables import renewals, subscriptions

_r, _s = renewals.c, subscriptions.c
_NEEDED = (
    sa.select(_r.order_id)
    .join(subscriptions, sa.and_(_s.merchant == _r.merchant, _s.id == _r.subscription))
    .where(
        one_of(_r.order_id, "ids"),
        sa.or_(
            _r.state == RenewalState.OPEN,
            # The last period that was paid for says until when.
            sa.and_(_s.status.in_(sorted(LIVE)), _r.period >= _s.period - 1),
        ),
    )
)


def _holds(tx: Tx, order_ids: Sequence[str]) -> Mapping[str, str]:
    found = tx.execute(_NEEDED, {"ids": list(order_ids)}).scalars()
    return dict.fromkeys(found, "pays for what a subscription has now")


def _forget(rows: Rows) -> Rows:
    """Leave them: a period of a subscription says nothing of anybody."""
    return rows


ARCHIVING = Archiving(_holds, forget=_forget)
