"""What lies further ahead than anything can have set it: the work of a clock that was wrong.

Every time in the outbox was set relative to a moment that stands beside it: an order's
`updated_at`, when it last moved. Where that moment has not come yet, a clock ran ahead for a
while, or has been put back; what was to happen so long after it happens so long after now.
"""

from __future__ import annotations

import logging
from functools import partial

import sqlalchemy as sa

from conveyor.core.ambient import CLOCK_SLACK_MS
from conveyor.core.engine import Engine
from conveyor.core.group_order import HOLD_BEHIND_PARKED_SECONDS
from conveyor.core.provider_call import Grant
from conveyor.core.tables import orders, outbox
from conveyor.core.transaction import Tx

log = logging.getLogger(__name__)

PAGE_ROWS = 500

_moved_ahead = orders.c.updated_at > sa.bindparam("ahead")
_AHEAD = (
    sa.select(orders.c.id, orders.c.version, orders.c.updated_at, outbox.c.due_at)
    .select_from(outbox.join(orders, orders.c.id == outbox.c.order_id))
    .where(
        outbox.c.due_at > sa.bindparam("ahead"),
        sa.or_(
            _moved_ahead,
            # Claimed by such a clock: a token is due when its order expects it, or just after.
            outbox.c.due_at > orders.c.expected_at + CLOCK_SLACK_MS,
            sa.and_(outbox.c.held, outbox.c.due_at > sa.bindparam("held_ahead")),
        ),
    )
    .order_by(orders.c.id)
    .limit(PAGE_ROWS)
    # Whoever holds one of these orders moves it on, and sets its times anew.
    .with_for_update(of=orders, skip_locked=True)
)
_BE_DUE = (
    sa.update(outbox)
    .where(
        outbox.c.order_id == sa.bindparam("b_order_id"),
        outbox.c.version == sa.bindparam("b_version"),
    )
    .values(due_at=sa.bindparam("b_due_at"))
)
_EXPECT = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("b_id"))
    .values(expected_at=sa.bindparam("b_due_at"), updated_at=sa.bindparam("b_updated_at"))
)


async def recall_all(engine: Engine) -> int:
    """Bring near what a wrong clock has put too far ahead; gives how many tokens that were."""
    recalled, longest = 0, _longest_hold_ms(engine)
    while True:
        now = engine.ambient.now_ms()
        page = await engine.database.run(partial(_recall, now=now, longest_hold_ms=longest))
        recalled += page
        if page < PAGE_ROWS:
            break
    if recalled:
        log.warning(
            "a clock was wrong: %d tokens were due too far ahead, and are not now", recalled
        )
    return recalled


def _longest_hold_ms(engine: Engine) -> int:
    """Give for how long anything is held: by its turn, by a call of before, by its fault."""
    longest_call = max((it.call_seconds for it in engine.providers), default=0.0)
    grant = Grant(max(longest_call, engine.providers.limits.seconds)).may_run_ms
    held = max(HOLD_BEHIND_PARKED_SECONDS, engine.retries.cap_seconds)
    return max(round(held * 1000), grant)


def _recall(tx: Tx, now: int, longest_hold_ms: int) -> int:
    held_ahead = now + longest_hold_ms + CLOCK_SLACK_MS
    rows = tx.execute(_AHEAD, {"ahead": now + CLOCK_SLACK_MS, "held_ahead": held_ahead}).all()
    for order_id, version, updated_at, due_at in rows:
        moved_ahead = updated_at > now + CLOCK_SLACK_MS
        due = max(now, due_at - (updated_at - now)) if moved_ahead else now
        tx.later(_BE_DUE, {"b_order_id": order_id, "b_version": version, "b_due_at": due})
        moved = now if moved_ahead else updated_at
        tx.later(_EXPECT, {"b_id": order_id, "b_due_at": due, "b_updated_at": moved})
    return len(rows)
