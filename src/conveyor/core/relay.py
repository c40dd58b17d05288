"""Sends what is owed: after the commit that owes it, and by a sweeper what a crash has left."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar

from conveyor.core import order_log
from conveyor.core.after_commit import AfterCommit
from conveyor.core.ambient import Ambient
from conveyor.core.batching import Batcher
from conveyor.core.gate import Gate
from conveyor.core.measures import Measures
from conveyor.core.message import Token, encode
from conveyor.core.outbox import SWEEP_ROWS, OwedToken, claim_due, forget, let_come
from conveyor.core.queue import Outgoing, Queues
from conveyor.core.sending import Sending
from conveyor.core.supervision import wait_for_stop
from conveyor.core.transaction import Database, Tx

log = logging.getLogger(__name__)

T = TypeVar("T")

Rider = Callable[[Sequence[OwedToken]], Sequence[OwedToken]]
"""Takes tokens along without a message; gives those that it has no room for."""

SWEEP_SECONDS = 1.0
FORGET_LISTS = 50


async def commit(
    database: Database, work: Callable[[Tx], AfterCommit[T]], measures: Measures
) -> tuple[T, list[OwedToken]]:
    """Run `work` in a transaction; gives what it gave, and what is to be sent now.

    What it tells is in the log, and what it measures is counted, once that stands.
    """
    left = await database.run(work)
    if left.told:
        order_log.write(left.told)
    measures.take(left.measured)
    return left.result, left.owed


class Relay:
    """Sends what is owed, and only then takes it out of the outbox."""

    def __init__(self, database: Database, queues: Queues, ambient: Ambient) -> None:
        """Nothing is started; `commit` sends what it owes, `sweep` what nobody has sent."""
        self._database = database
        self._queues = queues
        self._ambient = ambient
        self.gate = Gate(database, ambient.random)
        self.measures = Measures()
        self.lets_ride = True
        """Whether anything rides on; else each step comes from its queue."""
        self._riders: dict[str, Rider] = {}
        self._forget: Batcher[list[OwedToken], None] = Batcher(self._delete_rows, FORGET_LISTS)

    async def commit(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction, and send what it owes once that stands.

        Raises what the database raises. What a queue does not take is left to a sweeper.
        """
        result, owed = await commit(self._database, lambda tx: tx.leave(work(tx)), self.measures)
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
        riding: dict[str, list[OwedToken]] = defaultdict(list)
        for row in owed:
            rides = self.lets_ride and row.fresh and row.queue in self._riders
            (riding if rides else by_queue)[row.queue].append(row)
        for name, rows in riding.items():
            if left := self._riders[name](rows):
                by_queue[name] += left
        for name, rows in by_queue.items():
            # Committed is committed, whatever the queue says: the sweeper sends it.
            said = "queue %s: %d tokens stay in the outbox"
            with self.gate.surviving(log, said, name, len(rows)):
                await self._send_to(name, rows)

    async def sweep(self, stop: asyncio.Event) -> None:
        """Send what is due: timers, and what a crash left between commit and send.

        It closes the gate, which nobody else would while idle, and waits until it is open: so there
        is somebody in each process who finds out that the database is back.
        """
        while not stop.is_set():
            rows: list[OwedToken] = []
            with self.gate.surviving(log, "the outbox cannot be swept now; it is tried again"):
                rows = await self.sweep_once()
            await self.gate.opened(stop)
            if len(rows) < SWEEP_ROWS:
                await wait_for_stop(stop, SWEEP_SECONDS)

    async def sweep_once(self) -> list[OwedToken]:
        """Send one page of what is due; gives the rows."""
        now = self._ambient.now_ms()
        return await self.commit(lambda tx: claim_due(tx, now))

    async def let_come(self, provider: str) -> None:
        """Let all come who wait for this provider: it answers again. A sweeper sends them."""
        now = self._ambient.now_ms()
        said = "who waits for %s comes later, when its own wait is over"
        with self.gate.surviving(log, said, provider):
            while await self.commit(lambda tx: let_come(tx, provider, now)) == SWEEP_ROWS:
                pass

    async def _send_to(self, name: str, rows: list[OwedToken]) -> None:
        now = self._ambient.now_ms()
        with Sending(self.measures.traces, name, rows) as sending:
            messages = [
                Outgoing(
                    encode(Token(row.order_id, row.step, row.version, sending.carried(row)), now),
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
