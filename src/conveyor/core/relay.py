"""Sends what is owed: after the commit that owes it, and by a sweeper what a crash has left."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar

from conveyor.core.ambient import Ambient
from conveyor.core.batching import Batcher
from conveyor.core.errors import UNABLE
from conveyor.core.message import Token, encode
from conveyor.core.outbox import SWEEP_ROWS, OwedToken, claim_due, forget, let_come
from conveyor.core.queue import Outgoing, Queues
from conveyor.core.supervision import wait_for_stop
from conveyor.core.transaction import Database, Tx

log = logging.getLogger(__name__)

T = TypeVar("T")

Rider = Callable[[OwedToken], bool]
"""Takes a token along without a message; False where it cannot."""

SWEEP_SECONDS = 1.0
FORGET_LISTS = 50


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
        self._riders: dict[str, Rider] = {}
        self._forget: Batcher[list[OwedToken], None] = Batcher(self._delete_rows, FORGET_LISTS)

    async def commit(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction, and send what it owes once that stands.

        Raises what the database raises. What a queue does not take is left to a sweeper.
        """
        result, owed = await commit(self._database, work)
        await self.send(owed)
        return result

    def let_ride(self, queue: str, rider: Rider | None) -> None:
        """Let what is owed to a queue ride on with whoever takes its tokens here; None: nobody."""
        if rider is None:
            self._riders.pop(queue, None)
        else:
            self._riders[queue] = rider

    async def send(self, owed: Sequence[OwedToken]) -> None:
        """Send tokens that are owed now. What a queue does not accept stays in the outbox.

        What can ride on is not sent: the outbox owes it until its order has moved.
        """
        by_queue: dict[str, list[OwedToken]] = defaultdict(list)
        for row in owed:
            rider = self._riders.get(row.queue) if row.fresh else None
            if rider is None or not rider(row):
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

    async def let_come(self, provider: str) -> None:
        """Let all come who wait for this provider: it answers again. A sweeper sends them."""
        now = self._ambient.now_ms()
        try:
            while await self.commit(lambda tx: let_come(tx, provider, now)) == SWEEP_ROWS:
                pass
        except Exception:
            log.exception("who waits for %s comes later, when its own wait is over", provider)

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
        await self._database.run(lambda tx: forget(tx, chain.from_iterable(lists)))
        return [None] * len(lists)
