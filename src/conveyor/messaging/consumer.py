"""THE MAIN PATH: receive a group, one transaction, commit, delete, relay.

    poll -> open_group (transaction) -> [call the provider -> close_group (transaction)]
         -> delete the messages, relay the outbox

While the database does not commit, what is in hand waits for it and nothing more is received (see
`gate`). A crash anywhere loses nothing: before the commit the message comes back, after it the
order's version has moved on, the message is stale and the outbox holds what is owed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from conveyor.messaging.batching import Batcher
from conveyor.messaging.calling import Calling, perform
from conveyor.messaging.closing import Called, close_group
from conveyor.messaging.dead_letter import dead_letter
from conveyor.messaging.deadlines import Deadlines
from conveyor.messaging.engine import Engine
from conveyor.messaging.errors import UNABLE, PoisonError
from conveyor.messaging.faults import Desk
from conveyor.messaging.handling import Taken, open_group
from conveyor.messaging.lease import Leases
from conveyor.messaging.message import decode
from conveyor.messaging.outbox import Owed, wait_for_stop
from conveyor.messaging.queue import (
    DEAD_LETTER_SUFFIX,
    LONG_POLL_SECONDS,
    Received,
    VisibilityChange,
)
from conveyor.messaging.slots import Slots
from conveyor.messaging.transaction import Tx
from conveyor.messaging.verdict import (
    Faulted,
    Handled,
    Held,
    Poisoned,
    Returned,
    Stale,
    Verdict,
)

T = TypeVar("T")

log = logging.getLogger(__name__)

GIVEN_BACK_SECONDS = LONG_POLL_SECONDS + 5
"""How long a message rests that this process cannot commit: another one may.

Longer than the polls that were under way when the gate was closed, which would take it again.
"""
OUTAGE_PAUSE_SECONDS = 1.0
"""How long a poller rests when the queue or the database does not answer."""


class Consumer:
    """Takes the tokens of one service's queue, group by group."""

    def __init__(self, engine: Engine, queue_name: str) -> None:
        """Nothing is started; see `run`."""
        self.engine = engine
        self.name = queue_name
        self.queue = engine.queues.queue(queue_name)
        self.dead_letters = engine.queues.queue(queue_name + DEAD_LETTER_SUFFIX)
        self.leases = Leases(self.queue, engine.ambient)
        self._opening: Batcher[Received, None] = self._groups(self._open)
        self._closing: Batcher[tuple[Received, Called], None] = self._groups(self._close)
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = Slots(engine.limits.calls_at_once)
        self._deadlines = Deadlines(engine.limits.call_seconds)
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
        keeper = asyncio.create_task(keep(f"leases of {self.name}", self.leases.keep, ended))
        await stop.wait()
        self._stopping.set()
        self.queue.wake()
        self._busy.set()
        self.leases.drop(())
        await asyncio.gather(*pollers)
        try:
            await asyncio.wait_for(self._settle(), self.engine.limits.grace_seconds)
        except TimeoutError:
            log.warning(
                "%s: %d messages left to their visibility timeout", self.name, len(self.leases)
            )
        ended.set()
        await keeper

    async def handle(self, messages: Sequence[Received]) -> None:
        """Take messages that somebody else received (Lambda, tests); returns when all are done."""
        self.leases.take(messages)
        await asyncio.gather(*(self._opening.submit(message) for message in messages))
        await self._settle()

    async def _poll(self, stop: asyncio.Event, *, first: bool) -> None:
        # One poller waits on an empty queue; the others join in while receives come back full.
        while not stop.is_set():
            if not first:
                await self._busy.wait()
            await self.leases.room(self.engine.limits.in_flight, stop)
            await self.engine.gate.opened(stop)
            if stop.is_set():
                return
            try:
                wait = LONG_POLL_SECONDS if first else 0
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
                await self._give_back({m.receipt: 0 for m in messages})
                return
            for message in messages:
                self._opening.submit(message)

    async def _open(self, group: list[Received]) -> list[None]:
        taken: list[Taken] = []
        messages: list[Received] = []
        poison: list[tuple[Received, Poisoned]] = []
        for message in group:
            try:
                taken.append(Taken(decode(message.body), message.receive_count))
                messages.append(message)
            except PoisonError as error:
                poison.append((message, Poisoned(error.cause)))
        if taken:
            verdicts = await self._transact(open_group, taken, messages)
            self._spawn(self._finish(messages, verdicts), messages)
        if poison:
            bad = [message for message, _ in poison]
            self._spawn(self._finish(bad, [verdict for _, verdict in poison]), bad)
        return [None] * len(group)

    async def _close(self, group: list[tuple[Received, Called]]) -> list[None]:
        messages = [message for message, _ in group]
        verdicts = await self._transact(close_group, [called for _, called in group], messages)
        self._spawn(self._finish(messages, verdicts), messages)
        return [None] * len(group)

    async def _transact(
        self,
        work: Callable[[Tx, Desk, Sequence[T]], list[Verdict]],
        items: Sequence[T],
        messages: Sequence[Received],
    ) -> list[Verdict]:
        gate = self.engine.gate
        while gate.is_open or await gate.opened_in_time(self._stopping):
            try:
                return await self._commit(work, items)
            except UNABLE as error:
                gate.close(error)
            except Exception:
                # Not one order's fault, nor that the database is away: all come back.
                log.exception("%s: a group of %d could not be committed", self.name, len(items))
                return [Faulted(self._rest(message)) for message in messages]
        return [Returned() for _ in messages]

    async def _commit(
        self, work: Callable[[Tx, Desk, Sequence[T]], list[Verdict]], items: Sequence[T]
    ) -> list[Verdict]:
        database = self.engine.database
        try:
            desk = self.engine.desk(isolate=False)
            return await database.run(lambda tx: work(tx, desk, items))
        except UNABLE:
            raise
        except Exception:  # noqa: BLE001 - whose fault it was, the isolated run tells
            desk = self.engine.desk(isolate=True)
            return await database.run(lambda tx: work(tx, desk, items))

    async def _finish(self, messages: Sequence[Received], verdicts: Sequence[Verdict]) -> None:
        deletes: list[str] = []
        rests: dict[str, int] = {}
        owed: list[Owed] = []
        buries: list[Coroutine[Any, Any, None]] = []
        for message, verdict in zip(messages, verdicts, strict=True):
            self.engine.tally[type(verdict).__name__.lower(), self.name] += 1
            match verdict:
                case Calling():
                    self._spawn(self._call(message, verdict), [message])
                case Handled(token, _, come):
                    deletes.append(message.receipt)
                    owed += come if token is None else (*come, token)
                case Stale() | Held():
                    deletes.append(message.receipt)
                case Faulted(rest):
                    rests[message.receipt] = rest
                case Returned():
                    rests[message.receipt] = GIVEN_BACK_SECONDS
                case Poisoned(cause):
                    buries.append(self._bury(message, cause))
        sent = self.engine.relay.send(owed)
        work = [self._delete(deletes), self._give_back(rests), sent, *buries]
        for result in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(result, Exception):
                # The commit stands: the sweeper sends what is owed, stale messages are dropped.
                log.error("%s: could not delete or give back", self.name, exc_info=result)

    async def _call(self, message: Received, calling: Calling) -> None:
        result = await perform(calling, self._slots, self._deadlines, self.engine.ambient)
        await self._closing.submit((message, Called(calling, result, message.receive_count)))

    async def _bury(self, message: Received, cause: str) -> None:
        """Send to the dead letters, and only then delete; else let it rest and come again."""
        buried = False
        try:
            dead = dead_letter(message, cause)
            buried = not await self.dead_letters.send([dead])
        except Exception:
            log.exception("%s: a dead letter could not be sent", self.name)
        if buried:
            await self._delete([message.receipt])
        else:
            await self._give_back({message.receipt: self._rest(message)})

    def _rest(self, message: Received) -> int:
        return self.engine.retries.rest_seconds(message.receive_count, self.engine.ambient.random)

    async def _delete(self, receipts: Sequence[str]) -> None:
        if receipts:
            try:
                await self.queue.delete(receipts)
            finally:
                self.leases.drop(receipts)

    async def _give_back(self, rests: dict[str, int]) -> None:
        if rests:
            self.leases.drop(rests)
            await self.queue.set_visibility([VisibilityChange(r, s) for r, s in rests.items()])

    def _spawn(self, work: Coroutine[Any, Any, None], messages: Sequence[Received]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, messages))

    def _ended(self, messages: Sequence[Received], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # They come back when their visibility timeout ends, and somebody takes them again.
            log.error("%s: %d messages are let go", self.name, len(messages), exc_info=error)
            self.leases.drop(message.receipt for message in messages)

    async def _settle(self) -> None:
        """Wait until every message in our hands has been deleted or given back."""
        await self._opening.join()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))
            await self._closing.join()
