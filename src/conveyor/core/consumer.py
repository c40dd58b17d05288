"""THE MAIN PATH: receive a group, one transaction, commit, delete, relay.

    poll -> take_tokens (transaction) -> [call the provider -> record_results (transaction)]
         -> delete the messages, ride on, or relay the outbox

While the database does not commit, what is in hand waits for it and nothing more is received (see
`gate`). A crash anywhere loses nothing: before the commit the message comes back, after it the
order's version has moved on, the message is stale and the outbox holds what is owed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from conveyor.core.batching import Batcher
from conveyor.core.calling import perform
from conveyor.core.committing import Work, commit_group
from conveyor.core.disposal import Disposal
from conveyor.core.disposition import Rest
from conveyor.core.engine import Engine
from conveyor.core.errors import PoisonError
from conveyor.core.finishing import Finishing
from conveyor.core.in_hand import InHand
from conveyor.core.lease import MessageLeases
from conveyor.core.message import decode
from conveyor.core.outbox import OwedToken
from conveyor.core.provider_call import ProviderCall
from conveyor.core.queue import Received
from conveyor.core.receiving import Receiver
from conveyor.core.recording_results import record_results
from conveyor.core.riding import Rides
from conveyor.core.taking_tokens import take_tokens

Item = TypeVar("Item", bound=InHand | ProviderCall)

log = logging.getLogger(__name__)


class Consumer:
    """Takes the tokens of one service's queue, group by group."""

    def __init__(self, engine: Engine, queue_name: str) -> None:
        """Nothing is started; see `run`."""
        self.engine = engine
        self.name = queue_name
        self.queue = engine.queues.queue(queue_name)
        self._freed = asyncio.Event()
        self.leases = MessageLeases(self.queue, engine.ambient, self._freed)
        self.rides = Rides(queue_name, engine.database, engine.ambient, self._freed)
        self._disposal = Disposal(engine, queue_name, self.leases, self.rides)
        self._finishing = Finishing(engine, queue_name, self._disposal, self._begin)
        self._receiver = Receiver(engine, self.queue, self._room, self._take)
        self._taking: Batcher[InHand, None] = self._groups(take_tokens)
        self._recording: Batcher[ProviderCall, None] = self._groups(record_results)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def _groups(self, work: Work[Item]) -> Batcher[Item, None]:
        limits = self.engine.limits
        return Batcher(
            partial(self._transact, work),
            limits.group_size,
            lanes=1 if self.queue.spec.fifo else limits.lanes,
            linger_seconds=limits.linger_seconds,
            linger_from=limits.crowd,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, then let what is under way end within the grace period."""
        keep = self.engine.supervisor.keep
        pollers = [
            asyncio.create_task(
                keep(f"receive {self.name}", partial(self._receiver.poll, first=at == 0), stop)
            )
            for at in range(self.engine.limits.pollers)
        ]
        ended = asyncio.Event()
        keepers = [
            asyncio.create_task(keep(f"leases of {self.name}", self.leases.keep, ended)),
            # Apart: where the database is away, messages must be kept all the same.
            asyncio.create_task(keep(f"rides of {self.name}", self.rides.keep, ended)),
        ]
        self.engine.pauses.follow(self.name, self._hold)
        self.engine.in_hand[self.name] = self._in_hand
        await stop.wait()
        self._stopping.set()
        self.engine.pauses.leave(self.name)
        self.engine.relay.let_ride(self.name, None)
        self._receiver.wake()
        self._freed.set()
        try:
            await asyncio.wait_for(self._end(pollers), self.engine.limits.grace_seconds)
        except TimeoutError:
            log.warning(
                "%s: %d messages left to their visibility timeout, and %d that ride",
                self.name,
                len(self.leases),
                len(self.rides),
            )
        ended.set()
        await asyncio.gather(*keepers)

    async def handle(self, messages: Sequence[Received]) -> None:
        """Take messages that somebody else received (Lambda, tests); returns when all are done."""
        self.leases.take(messages)
        await asyncio.gather(*self._submit(messages))
        await self._settle()

    def let_go(self) -> None:
        """Wait for nothing any more: what cannot be committed now is given back."""
        self._stopping.set()

    def _hold(self) -> None:
        """Take nothing more while the service is paused; what is in hand comes to its end."""
        engine, paused = self.engine, self.engine.pauses.holds(self.name)
        rides = not paused and not self.queue.spec.fifo and engine.limits.rides > 0
        engine.relay.let_ride(self.name, self._ride if rides else None)
        if paused:
            self.queue.wake()  # or the poll that is under way would still bring what comes
        self._freed.set()

    def _ride(self, owed: Sequence[OwedToken]) -> Sequence[OwedToken]:
        """Take tokens along that have no message; gives those that there is no room for."""
        # Whatever else is in hand: who is under way goes first, or a crowd of new orders, which all
        # come as messages, would let nobody come to an end.
        room = self.engine.limits.most_rides - len(self.rides)
        carried, left = self.rides.carry(owed, room)
        self.engine.tally["ridden", self.name] += len(carried)
        for it in carried:
            self._taking.submit(it)
        return left

    def _in_hand(self) -> int:
        return len(self.leases) + len(self.rides)

    async def _room(self, stop: asyncio.Event) -> None:
        """Wait until there is room for more and the service is not paused, or for the stop."""
        engine = self.engine
        while not stop.is_set() and (
            self._in_hand() >= engine.limits.in_flight or engine.pauses.holds(self.name)
        ):
            self._freed.clear()
            await self._freed.wait()

    async def _take(self, messages: Sequence[Received], stop: asyncio.Event) -> None:
        self.leases.take(messages)
        if stop.is_set():
            # A poll under way at shutdown still returns messages: give them back at once.
            await self._disposal.give_back({m.receipt: 0 for m in messages})
        else:
            self._submit(messages)

    def _submit(self, messages: Iterable[Received]) -> list[Awaitable[None]]:
        submitted: list[Awaitable[None]] = []
        carried: list[str] = []
        since, now_ms = asyncio.get_running_loop().time(), self.engine.ambient.now_ms()
        waited = self.engine.measures.queue_seconds[self.name,]
        for message in messages:
            if message.receive_count == 1:
                waited.observe((now_ms - message.sent_at_ms) / 1000)
            try:
                token = decode(message.body)
            except PoisonError as error:
                self._spawn(self._finishing.bury(message, error.cause), [message.receipt])
            else:
                it = InHand(token, message.receipt, message, since, now_ms)
                carried.append(token.traceparent)
                submitted.append(self._taking.submit(it))
        if self.engine.traces is not None:
            self.engine.traces.received(self.name, carried, now_ms)
        return submitted

    async def _transact(self, work: Work[Item], group: list[Item]) -> list[None]:
        taken = [it.in_hand if isinstance(it, ProviderCall) else it for it in group]
        owed: list[OwedToken] = []
        said = "%s: a group of %d could not be committed"
        with self.engine.gate.surviving(log, said, self.name, len(group)) as committing:
            dispositions, owed = await commit_group(self.engine, work, group, self._stopping)
        if committing.error:
            # Not one order's fault, nor that the database is away: all come back.
            dispositions = [Rest(self._disposal.rest(it.receives)) for it in taken]
        receipts = [it.receipt for it in taken]
        self._spawn(self._finishing.finish(taken, dispositions, owed), receipts)
        return [None] * len(group)

    def _begin(self, call: ProviderCall) -> None:
        self._spawn(self._call(call), [call.in_hand.receipt])

    async def _call(self, call: ProviderCall) -> None:
        engine, provider = self.engine, call.provider
        was_paused = provider.breaker.is_paused
        if engine.traces is not None:
            call = replace(call, in_hand=engine.traces.placed(call.in_hand, call.order))
        result = await perform(call, engine.ambient, engine.measures)
        await self._recording.submit(replace(call, result=result))
        if was_paused and not provider.breaker.is_paused:
            await engine.relay.let_come(provider.name)

    def _spawn(self, work: Coroutine[Any, Any, None], receipts: Sequence[str]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, receipts))

    def _ended(self, receipts: Sequence[str], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # They come back when their visibility timeout ends, and somebody takes them again.
            said = "%s: %d messages are let go"
            self.engine.gate.failed(log, error, said, self.name, len(receipts))
            self.rides.drop(receipts)
            self.leases.drop(receipts)

    async def _end(self, pollers: Iterable[asyncio.Task[None]]) -> None:
        await asyncio.gather(*pollers)
        await self._settle()

    async def _settle(self) -> None:
        """Wait until every message in our hands has been deleted or given back."""
        await self._taking.join()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))
            await self._recording.join()
