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
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from conveyor.core.batching import Batcher
from conveyor.core.calling import PendingCall, perform
from conveyor.core.committing import Work, commit_group
from conveyor.core.disposal import GIVEN_BACK_SECONDS, Disposal
from conveyor.core.disposition import (
    Disposition,
    Faulted,
    Handled,
    Held,
    Orphaned,
    Poisoned,
    Returned,
    Stale,
    Waiting,
)
from conveyor.core.engine import Engine
from conveyor.core.errors import PoisonError
from conveyor.core.lease import MessageLeases
from conveyor.core.message import decode
from conveyor.core.outbox import OwedToken
from conveyor.core.queue import Received
from conveyor.core.recording_results import EndedCall, record_results
from conveyor.core.riding import Rides
from conveyor.core.supervision import wait_for_stop
from conveyor.core.taking_tokens import ReceivedToken, take_tokens

T = TypeVar("T")

log = logging.getLogger(__name__)

OUTAGE_PAUSE_SECONDS = 1.0
"""How long a poller rests when the queue or the database does not answer."""


class Consumer:
    """Takes the tokens of one service's queue, group by group."""

    def __init__(self, engine: Engine, queue_name: str) -> None:
        """Nothing is started; see `run`."""
        self.engine = engine
        self.name = queue_name
        self.queue = engine.queues.queue(queue_name)
        self.leases = MessageLeases(self.queue, engine.ambient)
        self.rides = Rides(queue_name, engine.database, engine.ambient)
        self.rides.changed = self.leases.changed  # room is room
        self._disposal = Disposal(engine, queue_name, self.leases, self.rides)
        self._opening: Batcher[Received, None] = self._groups(self._open)
        self._closing: Batcher[tuple[Received, EndedCall], None] = self._groups(self._close)
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy = asyncio.Event()
        self._stopping = asyncio.Event()

    def _groups(self, handle: Callable[[list[T]], Awaitable[list[None]]]) -> Batcher[T, None]:
        limits = self.engine.limits
        return Batcher(
            handle,
            limits.group_size,
            lanes=1 if self.queue.spec.fifo else limits.lanes,
            linger_seconds=limits.linger_seconds,
            linger_from=2,  # a message that is alone finds nothing to share its group with
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, then let what is under way end within the grace period."""
        keep = self.engine.supervisor.keep
        pollers = [
            asyncio.create_task(
                keep(f"receive {self.name}", partial(self._poll, first=at == 0), stop)
            )
            for at in range(self.engine.limits.pollers)
        ]
        ended = asyncio.Event()
        keepers = [
            asyncio.create_task(keep(f"leases of {self.name}", self.leases.keep, ended)),
            # Apart: where the database is away, messages must be kept all the same.
            asyncio.create_task(keep(f"rides of {self.name}", self.rides.keep, ended)),
        ]
        if not self.queue.spec.fifo and self.engine.limits.rides:
            self.engine.relay.let_ride(self.name, self._ride)
        await stop.wait()
        self._stopping.set()
        self.engine.relay.let_ride(self.name, None)
        self.queue.wake()
        self._busy.set()
        self.leases.changed.set()
        try:
            await asyncio.wait_for(self._end(pollers), self.engine.limits.stop_seconds)
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
        await asyncio.gather(*(self._opening.submit(message) for message in messages))
        await self._settle()

    def let_go(self) -> None:
        """Wait for nothing any more: what cannot be committed now is given back."""
        self._stopping.set()

    def _ride(self, owed: OwedToken) -> bool:
        """Take a token along that has no message; False: there is no room for it."""
        # Whatever else is in hand: who is under way goes first, or a crowd of new orders, which all
        # come as messages, would let nobody come to an end.
        if len(self.rides) >= self.engine.limits.most_rides or not self.rides.may_carry(owed):
            return False
        self.engine.tally["ridden", self.name] += 1
        self._opening.submit(self.rides.carry(owed))
        return True

    def _in_hand(self) -> int:
        return len(self.leases) + len(self.rides)

    async def _room(self, stop: asyncio.Event) -> None:
        """Back-pressure: wait until there is room for more, or for the stop."""
        while self._in_hand() >= self.engine.limits.in_flight and not stop.is_set():
            self.leases.changed.clear()
            await self.leases.changed.wait()

    async def _poll(self, stop: asyncio.Event, *, first: bool) -> None:
        # One poller waits on an empty queue; the others join in while receives come back full.
        while not stop.is_set():
            if not first:
                await self._busy.wait()
            await self._room(stop)
            await self.engine.gate.opened(stop)
            if stop.is_set():
                return
            try:
                wait = self.engine.limits.poll_seconds if first else 0
                messages = await self.queue.receive(self.queue.receive_limit, wait)
            except Exception:
                log.exception("%s: receive failed", self.name)
                await wait_for_stop(stop, OUTAGE_PAUSE_SECONDS)
                continue
            if len(messages) >= self.queue.receive_limit:
                self._busy.set()
            else:
                self._busy.clear()
            self.leases.take(messages)
            if stop.is_set():
                # A poll under way at shutdown still returns messages: give them back at once.
                await self._disposal.give_back({m.receipt: 0 for m in messages})
                return
            for message in messages:
                self._opening.submit(message)

    async def _open(self, group: list[Received]) -> list[None]:
        taken: list[ReceivedToken] = []
        messages: list[Received] = []
        poison: list[tuple[Received, Poisoned]] = []
        for message in group:
            try:
                taken.append(_taken(message))
                messages.append(message)
            except PoisonError as error:
                poison.append((message, Poisoned(error.cause)))
        if taken:
            dispositions, owed = await self._transact(take_tokens, taken, messages)
            self._spawn(self._finish(messages, dispositions, owed), messages)
        if poison:
            bad = [message for message, _ in poison]
            self._spawn(self._finish(bad, [disposition for _, disposition in poison], []), bad)
        return [None] * len(group)

    async def _close(self, group: list[tuple[Received, EndedCall]]) -> list[None]:
        messages = [message for message, _ in group]
        ended = [called for _, called in group]
        dispositions, owed = await self._transact(record_results, ended, messages)
        self._spawn(self._finish(messages, dispositions, owed), messages)
        return [None] * len(group)

    async def _transact(
        self, work: Work[T], items: Sequence[T], messages: Sequence[Received]
    ) -> tuple[list[Disposition], list[OwedToken]]:
        try:
            return await commit_group(self.engine, work, items, self._stopping)
        except Exception:
            # Not one order's fault, nor that the database is away: all come back.
            log.exception("%s: a group of %d could not be committed", self.name, len(items))
            return [Faulted(self._disposal.rest(message)) for message in messages], []

    async def _finish(
        self,
        messages: Sequence[Received],
        dispositions: Sequence[Disposition],
        owed: Sequence[OwedToken],
    ) -> None:
        deletes: list[str] = []
        rests: dict[str, int] = {}
        buries: list[Coroutine[Any, Any, None]] = []
        for message, disposition in zip(messages, dispositions, strict=True):
            self.engine.tally[disposition.counted_as, self.name] += 1
            match disposition:
                case PendingCall():
                    self._spawn(self._call(message, disposition), [message])
                case Handled() | Stale() | Held():
                    deletes.append(message.receipt)
                case Waiting(order_id, breaker):
                    breaker.waiting.add(order_id)
                    deletes.append(message.receipt)
                case Orphaned(order_id):
                    log.warning("%s: no order %s: its token is dropped", self.name, order_id)
                    deletes.append(message.receipt)
                case Faulted(rest):
                    rests[message.receipt] = rest
                case Returned():
                    rests[message.receipt] = GIVEN_BACK_SECONDS
                case Poisoned(cause):
                    buries.append(self._disposal.bury(message, cause))
        await self._let_go(
            self._disposal.delete(deletes),
            self._disposal.give_back(rests),
            self.engine.relay.send(owed),
            *buries,
        )

    async def _let_go(self, *work: Coroutine[Any, Any, None]) -> None:
        for result in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(result, Exception):
                # The commit stands: the sweeper sends what is owed, stale messages are dropped.
                log.error("%s: could not delete or give back", self.name, exc_info=result)

    async def _call(self, message: Received, calling: PendingCall) -> None:
        provider = calling.provider
        was_paused = provider.breaker.is_paused
        result = await perform(calling, self.engine.ambient)
        await self._closing.submit((message, EndedCall(calling, result, message.receive_count)))
        if was_paused and not provider.breaker.is_paused:
            await self.engine.relay.let_come(provider.name)

    def _spawn(self, work: Coroutine[Any, Any, None], messages: Sequence[Received]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, messages))

    def _ended(self, messages: Sequence[Received], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # They come back when their visibility timeout ends, and somebody takes them again.
            log.error("%s: %d messages are let go", self.name, len(messages), exc_info=error)
            receipts = [message.receipt for message in messages]
            self.rides.drop(receipts)
            self.leases.drop(receipts)

    async def _end(self, pollers: Iterable[asyncio.Task[None]]) -> None:
        await asyncio.gather(*pollers)
        await self._settle()

    async def _settle(self) -> None:
        """Wait until every message in our hands has been deleted or given back."""
        await self._opening.join()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))
            await self._closing.join()


def _taken(message: Received) -> ReceivedToken:
    return ReceivedToken(decode(message.body), message.receive_count, message.sent_at_ms)
