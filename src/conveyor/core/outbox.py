"""The outbox: what is owed to the queues, written with the effect and sent after the commit.

A row's `due_at` says when the sweeper is to send it. For a token that is owed now, the process
that commits it relays it at once, and the sweeper, `RELAY_GRACE_MS` later, only finds what a crash
left behind. For a timer it is the deadline.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from conveyor.core.statements import one_of
from conveyor.core.tables import orders, outbox
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.turns import Turn, write_turn
from conveyor.core.untyped import DialectInsert

RELAY_GRACE_MS = 5_000
SWEEP_ROWS = 500


class OwedToken(NamedTuple):
    """A token that an order is owed: a row of the outbox. `now` is false for timers.

    `held`: it is owed anew, at a later time, so that a copy already sent is not it.
    `waits_for` names the provider for whose sake that is, where it is for one's.
    `fresh`: nobody has been sent it yet, so it may ride on in the process that owes it. Else a
    process may have died of it, and only a message counts how often.
    `traceparent` is the order's, which its message carries.
    """

    order_id: str
    version: int
    queue: str
    step: str
    turn: Turn
    due_at: int
    now: bool = True
    held: bool = False
    waits_for: str = ""
    fresh: bool = False
    traceparent: str | None = None


def _put(insert: DialectInsert) -> sa.Executable:
    statement = insert(outbox)
    changed = (
        "version",
        "queue",
        "step",
        "group_key",
        "due_at",
        "sequence",
        "held",
        "waits_for",
    )
    # The newest token replaces an older one: an order is owed one at a time.
    upsert: sa.Executable = statement.on_conflict_do_update(
        index_elements=["order_id"], set_={name: statement.excluded[name] for name in changed}
    )
    return upsert


_PUT = PerDialect(_put)
_FORGET = sa.delete(outbox).where(
    outbox.c.order_id == sa.bindparam("b_order_id"),
    outbox.c.version == sa.bindparam("b_version"),
    sa.not_(outbox.c.held),
)
_CLEAR = sa.delete(outbox).where(outbox.c.order_id == sa.bindparam("b_order_id"))
_DUE = (
    sa.select(
        outbox,
        sa.select(orders.c.traceparent)
        .where(orders.c.id == outbox.c.order_id)
        .scalar_subquery()
        .label("traceparent"),
    )
    .where(outbox.c.due_at <= sa.bindparam("now"))
    .order_by(outbox.c.due_at, outbox.c.sequence)
    .limit(SWEEP_ROWS)
    .with_for_update(skip_locked=True)
)
_WAITING = (
    sa.select(outbox.c.order_id, outbox.c.version)
    # The constant lets an index be used that is on a part of the rows.
    .where(outbox.c.waits_for != sa.text("''"), outbox.c.waits_for == sa.bindparam("provider"))
    .order_by(outbox.c.order_id)
    .limit(SWEEP_ROWS)
    .with_for_update(skip_locked=True)
)
_COME = (
    sa.update(outbox)
    .where(
        outbox.c.order_id == sa.bindparam("b_order_id"),
        outbox.c.version == sa.bindparam("b_version"),
    )
    .values(due_at=sa.bindparam("b_due_at"), waits_for="")
)
_CLAIM = (
    sa.update(outbox)
    .where(
        outbox.c.order_id == sa.bindparam("b_order_id"),
        outbox.c.version == sa.bindparam("b_version"),
    )
    .values(due_at=sa.bindparam("b_due_at"), held=False)
)
# What is owed anew, or has moved on, is not in anybody's hands any more.
_IN_HAND = (
    sa.select(outbox.c.order_id, outbox.c.version)
    .where(one_of(outbox.c.order_id, "ids"), sa.not_(outbox.c.held))
    .with_for_update(skip_locked=True)
)


def put(tx: Tx, owed: OwedToken) -> None:
    """Write what is owed, with the effect that owes it; what is due now is sent then."""
    row = {
        "order_id": owed.order_id,
        "version": owed.version,
        "queue": owed.queue,
        "step": owed.step,
        "group_key": owed.turn.group_key,
        "due_at": owed.due_at + RELAY_GRACE_MS if owed.now else owed.due_at,
        "held": owed.held,
        "waits_for": owed.waits_for,
    }
    write_turn(tx, owed.turn, row, "sequence")
    tx.later(_PUT, row)
    tx.owe(owed.order_id, owed if owed.now else None)


def clear(tx: Tx, order_id: str) -> None:
    """An order at its end is owed nothing."""
    tx.later(_CLEAR, {"b_order_id": order_id})
    tx.owe(order_id, None)


def claim_due(tx: Tx, now_ms: int) -> list[OwedToken]:
    """Take the rows that are due for this process, for `RELAY_GRACE_MS`."""
    rows = [
        OwedToken(
            row.order_id,
            row.version,
            row.queue,
            row.step,
            Turn(row.group_key, row.sequence),
            row.due_at,
            traceparent=row.traceparent,
        )
        for row in tx.execute(_DUE, {"now": now_ms})
    ]
    claim(tx, rows, now_ms)
    return rows


def let_come(tx: Tx, provider: str, now_ms: int) -> int:
    """Let a page of those come now who wait for this provider; gives how many they are."""
    rows = tx.execute(_WAITING, {"provider": provider}).all()
    for order_id, version in rows:
        tx.later(_COME, {"b_order_id": order_id, "b_version": version, "b_due_at": now_ms})
    return len(rows)


def claim(tx: Tx, rows: Sequence[OwedToken], now_ms: int) -> None:
    """Let this process send what these rows owe: no sweeper does for `RELAY_GRACE_MS`."""
    for row in rows:
        tx.owe(row.order_id, row)
        tx.later(
            _CLAIM,
            {
                "b_order_id": row.order_id,
                "b_version": row.version,
                "b_due_at": now_ms + RELAY_GRACE_MS,
            },
        )


def keep(tx: Tx, rows: Sequence[OwedToken], until_ms: int) -> set[tuple[str, int]]:
    """Let no sweeper send these before then: this process has them in its hands.

    Gives those that were free, by order and version. Who holds one of the others moves it on, or
    claims it: to wait for them, in whatever order they come, could be for each other.
    """
    ids = [row.order_id for row in rows]
    free = {(row.order_id, row.version) for row in tx.execute(_IN_HAND, {"ids": ids})}
    for row in rows:
        if (row.order_id, row.version) in free:
            tx.later(
                _CLAIM,
                {"b_order_id": row.order_id, "b_version": row.version, "b_due_at": until_ms},
            )
    return free


def forget(tx: Tx, rows: Iterable[OwedToken]) -> None:
    """Take out what was sent; what is owed anew since then stays."""
    for row in rows:
        tx.later(_FORGET, {"b_order_id": row.order_id, "b_version": row.version})
