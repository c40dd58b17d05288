"""The outbox: what is owed to the queues, written with the effect and sent after the commit.

A row's `due_at` says when the sweeper is to send it. For a token that is owed now, the process
that commits it relays it at once, and the sweeper, `RELAY_GRACE_MS` later, only finds what a crash
left behind. For a timer it is the deadline.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import sqlalchemy as sa

from conveyor.core.ambient import Ambient
from conveyor.core.batching import Batcher
from conveyor.core.errors import UNABLE
from conveyor.core.message import Token, encode
from conveyor.core.queue import Outgoing, Queues
from conveyor.core.tables import outbox
from conveyor.core.transaction import Database, PerDialect, Tx
from conveyor.core.turns import Turn, write_turn
from conveyor.core.untyped import DialectInsert

log = logging.getLogger(__name__)

T = TypeVar("T")

RELAY_GRACE_MS = 5_000
SWEEP_SECONDS = 1.0
SWEEP_ROWS = 500
FORGET_LISTS = 50


@dataclass(frozen=True, slots=True)
class OwedToken:
    """A token that an order is owed: a row of the outbox. `now` is false for timers.

    `held`: it came before its turn and is owed anew, so that a copy already sent is not it.
    """

    order_id: str
    version: int
    queue: str
    step: str
    turn: Turn
    due_at: int
    now: bool = True
    held: bool = False


def _put(insert: DialectInsert) -> sa.Executable:
    statement = insert(outbox)
    changed = ("version", "queue", "step", "group_key", "due_at", "sequence", "held")
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
    sa.select(outbox)
    .where(outbox.c.due_at <= sa.bindparam("now"))
    .order_by(outbox.c.due_at, outbox.c.sequence)
    .limit(SWEEP_ROWS)
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    sa.update(outbox)
    .where(
        outbox.c.order_id == sa.bindparam("b_order_id"),
        outbox.c.version == sa.bindparam("b_version"),
    )
    .values(due_at=sa.bindparam("b_due_at"), held=False)
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
        )
        for row in tx.execute(_DUE, {"now": now_ms})
    ]
    claim(tx, rows, now_ms)
    return rows


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


async def commit(database: Database, work: Callable[[Tx], T]) -> tuple[T, list[OwedToken]]:
    """Run `work` in a transaction; gives what it gave, and what is to be sent now."""
    return await database.run(lambda tx: (work(tx), tx.take_owed()))


class Relay:
    """Sends what is owed, and only then takes it out of the outbox."""

    def __init__(self, database: Database, queues: Queues, ambient: Ambient) -> None:
        """Nothing is started; `commit` sends what it owes, `sweep` what nobody has sent."""
        self._database = database
        self._queues = queues
        self._ambient = ambient
        self._forget: Batcher[list[OwedToken], None] = Batcher(self._delete_rows, FORGET_LISTS)

    async def commit(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction, and send what it owes once that stands.

        Raises what the database raises. What a queue does not take is left to a sweeper.
        """
        result, owed = await commit(self._database, work)
        await self.send(owed)
        return result

    async def send(self, owed: Sequence[OwedToken]) -> None:
        """Send tokens that are owed now. What a queue does not accept stays in the outbox."""
        by_queue: dict[str, list[OwedToken]] = defaultdict(list)
        for row in owed:
            by_queue[row.queue].append(row)
        for name, rows in by_queue.items():
            try:
                await self._send_to(name, rows)
            except Exception:
                # Committed is committed, whatever the queue says: the sweeper sends it.
                log.exception("queue %s: %d tokens stay in the outbox", name, len(rows))

    async def sweep(
        self, stop: asyncio.Event, unable: Callable[[Exception], None] = lambda _: None
    ) -> None:
        """Send what is due: timers, and what a crash left between commit and send.

        `unable` is told when the database cannot commit: nobody else would find out while idle.
        """
        while not stop.is_set():
            try:
                rows = await self.sweep_once()
            except Exception as error:
                log.exception("the outbox cannot be swept now; it is tried again")
                rows = []
                if isinstance(error, UNABLE):
                    unable(error)
            if len(rows) < SWEEP_ROWS:
                await wait_for_stop(stop, SWEEP_SECONDS)

    async def sweep_once(self) -> list[OwedToken]:
        """Send one page of what is due; gives the rows."""
        now = self._ambient.now_ms()
        return await self.commit(lambda tx: claim_due(tx, now))

    async def _send_to(self, name: str, rows: list[OwedToken]) -> None:
        now = self._ambient.now_ms()
        messages = [
            Outgoing(
                encode(Token(row.order_id, row.step, row.version), now),
                group=row.turn.group_key,
                # A copy of the same debt is dropped by the queue; one owed anew is not.
                deduplication_id=f"{row.order_id}.{row.version}.{row.due_at}",
            )
            for row in rows
        ]
        failed = set(await self._queues.queue(name).send(messages))
        sent = [row for index, row in enumerate(rows) if index not in failed]
        await self._forget.submit(sent)

    async def _delete_rows(self, lists: list[list[OwedToken]]) -> list[None]:
        def forget(tx: Tx) -> None:
            for row in chain.from_iterable(lists):
                tx.later(_FORGET, {"b_order_id": row.order_id, "b_version": row.version})

        await self._database.run(forget)
        return [None] * len(lists)


async def wait_for_stop(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake at once when `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
