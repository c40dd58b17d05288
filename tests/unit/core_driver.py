"""The core without any service: a flow of its own, on queues that note and refuse what is asked."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from conveyor.adapters.embedded_queue import EmbeddedQueues
from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.core.after_commit import AfterCommit
from conveyor.core.consumer import Consumer
from conveyor.core.engine import Engine, Limits
from conveyor.core.message import Token, encode
from conveyor.core.order import Order, load
from conveyor.core.outbox import OwedToken
from conveyor.core.outcome import Again, Awaiting, Done, Outcome
from conveyor.core.placing import NewOrder, place
from conveyor.core.providers import Providers
from conveyor.core.queue import Depth, Outgoing, QueueSpec, Received, VisibilityChange
from conveyor.core.registry import Registry
from conveyor.core.relay import Relay, commit
from conveyor.core.retries import RetryPolicy
from conveyor.core.routing_slip import Flow, Step
from conveyor.core.step import Answer, CallStep, LocalStep, Now
from conveyor.core.tables import calls, outbox, timeline
from conveyor.core.transaction import Database, Tx
from conveyor.settings import Settings
from conveyor.system.installation import installation
from conveyor.system.tables import create_all
from conveyor.testing.loop import virtual_ambient

FLOW = Flow("errand", 1, (Step("ask.price"), Step("desk.close")), cancel_until="desk.close")
SPECS = (QueueSpec("ask"), QueueSpec("desk"))
INSTALLED = installation(Settings())
LEASE_SECONDS = SPECS[0].visibility_seconds


class BrokenAnswerError(Exception):
    """What recording an answer raises for an order that is broken."""


class AskPrice(CallStep[str, str]):
    """A call; what is different about one, `answer`, `broken` and `again` say, by reference."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.again: set[str] = set()
        self.called: list[str] = []
        self.recorded: list[str] = []
        self.answer: Callable[[str], Awaitable[str]] = _at_once

    def prepare(self, _tx: Tx, order: Order, _now: Now) -> str | Outcome:
        return order.reference

    async def call(self, request: str, key: str) -> str:
        self.called.append(key)
        return await self.answer(request)

    async def ask(self, _request: str, _key: str) -> str | None:
        return None

    def record(self, _tx: Tx, order: Order, answer: str, _now: Now) -> Outcome:
        if order.reference in self.broken:
            raise BrokenAnswerError
        self.recorded.append(order.reference)
        if order.reference in self.again:
            self.again.remove(order.reference)
            return Again("another price")
        return Done({"answer": answer})


async def _at_once(request: str) -> str:
    return f"{request} costs 5"


class Desk(LocalStep):
    """A local step; an order whose reference is `wait` awaits, one that is broken raises."""

    def __init__(self) -> None:
        super().__init__(self.close)
        self.broken: set[str] = set()
        self.closed: list[str] = []
        self.before: Callable[[Tx, str], None] = lambda _tx, _reference: None
        """Is told of each order that comes, by its reference."""

    def close(self, tx: Tx, order: Order, _now: Now) -> Outcome:
        self.before(tx, order.reference)
        if order.reference in self.broken:
            raise BrokenAnswerError
        if order.reference == "wait":
            return Awaiting("nobody", 3600.0)
        self.closed.append(order.reference)
        return Done()

    def answered(self, _tx: Tx, _order: Order, answer: Answer, _now: Now) -> Outcome:
        return Done({"answer": str(answer["says"])})


class NotingQueue:
    """Hands on to an embedded queue and notes it; each hook sees a call before the queue does."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.spec: QueueSpec = inner.spec
        self.receive_limit = 10  # as on SQS
        self.refuses: Callable[[Outgoing], bool] = lambda _message: False
        self.swallows = False
        """Messages sent are accepted, and lost."""
        self.pretends: Depth | None = None
        """The depth that it says it has."""
        self.received: Callable[[list[Received]], None] = lambda _messages: None
        self.deleting: Callable[[Sequence[str]], None] = lambda _receipts: None
        self.changing: Callable[[Sequence[VisibilityChange]], Awaitable[None]] = _nothing
        self.sent: list[Outgoing] = []
        self.deleted: list[str] = []
        self.changes: list[VisibilityChange] = []

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        refused = [index for index, message in enumerate(messages) if self.refuses(message)]
        accepted = [m for index, m in enumerate(messages) if index not in refused]
        self.sent += accepted
        if accepted and not self.swallows:
            assert not await self._inner.send(accepted)
        return refused

    async def receive(self, limit: int, wait_seconds: float) -> list[Received]:
        messages: list[Received] = await self._inner.receive(
            min(limit, self.receive_limit), wait_seconds
        )
        self.received(messages)
        return messages

    async def delete(self, receipts: Sequence[str]) -> list[str]:
        self.deleting(receipts)
        self.deleted += receipts
        failed: list[str] = await self._inner.delete(receipts)
        return failed

    async def set_visibility(self, changes: Sequence[VisibilityChange]) -> list[str]:
        await self.changing(changes)
        self.changes += changes
        failed: list[str] = await self._inner.set_visibility(changes)
        return failed

    async def depth(self) -> Depth:
        if self.pretends is not None:
            return self.pretends
        depth: Depth = await self._inner.depth()
        return depth

    async def purge(self) -> None:
        await self._inner.purge()

    def wake(self) -> None:
        self._inner.wake()


async def _nothing(_changes: Sequence[VisibilityChange]) -> None: ...


class NotingQueues:
    """All of them, by name; dead-letter queues too."""

    requests = 0

    def __init__(self, inner: EmbeddedQueues) -> None:
        self._inner = inner
        self._noting: dict[str, NotingQueue] = {}

    def queue(self, name: str) -> NotingQueue:
        return self._noting.setdefault(name, NotingQueue(self._inner.queue(name)))

    async def provision(self, specs: Sequence[QueueSpec]) -> list[str]:
        return await self._inner.provision(specs)

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()


class Core(AbstractAsyncContextManager["Core"]):
    """An engine on virtual time: `async with Core(directory) as core`, in `run_virtual`."""

    def __init__(
        self,
        directory: Path,
        *,
        retries: RetryPolicy | None = None,
        limits: Limits | None = None,
        database: Database | None = None,
    ) -> None:
        self.ambient = virtual_ambient()
        self.database = database or SqliteDatabase(directory / "core.db", inline=True)
        self.queues = NotingQueues(EmbeddedQueues(directory / "queue.db", SPECS, self.ambient))
        self.ask, self.desk = AskPrice(), Desk()
        self.engine = Engine(
            database=self.database,
            queues=self.queues,
            registry=Registry([FLOW], {"ask.price": self.ask, "desk.close": self.desk}, SPECS),
            ambient=self.ambient,
            relay=Relay(self.database, self.queues, self.ambient),
            retries=retries or RetryPolicy(),
            limits=limits or Limits(pollers=1),
            providers=Providers(self.ambient.random),
        )
        self._placed = 0

    async def __aenter__(self) -> Self:
        await create_all(self.database, INSTALLED)
        await self.queues.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.queues.close()
        await self.database.close()

    @property
    def now_ms(self) -> int:
        return self.ambient.now_ms()

    async def place(self, *references: str) -> list[OwedToken]:
        """Place an order for each, in one transaction; nothing is sent."""
        numbered = [(self._placed + n, r) for n, r in enumerate(references, start=1)]
        self._placed += len(references)

        def work(tx: Tx) -> AfterCommit[None]:
            for n, r in numbered:
                place(tx, self.engine.registry, _new(n, r), self.engine.now())
            return tx.leave(None)

        _, owed = await commit(self.database, work, self.engine.measures)
        return owed

    async def take(self, service: str, *owed: OwedToken) -> Consumer:
        """Send these tokens, and let a consumer handle them, once; gives it when it is done."""
        consumer = Consumer(self.engine, service)
        await self.handle(consumer, *owed)
        return consumer

    async def handle(self, consumer: Consumer, *owed: OwedToken) -> None:
        """Send these tokens, and let this consumer handle them, once."""
        queue = self.queues.queue(consumer.name)
        await queue.send([Outgoing(_text(row, self.now_ms)) for row in owed])
        messages: list[Received] = []
        while len(messages) < len(owed):
            messages += await queue.receive(queue.receive_limit, 0)
        await consumer.handle(messages)

    async def orders(self, owed: Iterable[OwedToken]) -> list[Order]:
        """Give the orders of these tokens as they are now."""
        ids = [row.order_id for row in owed]
        loaded = await self.database.read(lambda tx: load(tx, ids, lock=False))
        return [loaded[one] for one in ids]

    async def owing(self) -> dict[str, int]:
        """Give the version that each row of the outbox is of, by the order's id."""
        rows = await self.database.read(lambda tx: tx.execute(sa.select(outbox)).all())
        return {row.order_id: row.version for row in rows}

    async def events(self, owed: OwedToken) -> list[str]:
        """Give what the timeline of an order says happened."""
        query = sa.select(timeline.c.event).where(timeline.c.order_id == owed.order_id)
        return await self.database.read(
            lambda tx: list(tx.execute(query.order_by(timeline.c.id)).scalars())
        )

    async def call_states(self, owed: OwedToken) -> list[str]:
        """Give what became of an order's calls, in order."""
        query = sa.select(calls.c.state).where(calls.c.order_id == owed.order_id)
        return await self.database.read(
            lambda tx: list(tx.execute(query.order_by(calls.c.attempt)).scalars())
        )


def a_message(receipt: str, body: str, visible_at_ms: int, **changes: Any) -> Received:
    """Give a message as a queue would, leased until then."""
    given = {"message_id": receipt, "receive_count": 1, "sent_at_ms": 0, **changes}
    return Received(body=body, receipt=receipt, visible_at_ms=visible_at_ms, **given)


def chance() -> random.Random:
    return random.Random(11)


def _new(number: int, reference: str) -> NewOrder:
    return NewOrder(f"{number:026d}", "m", FLOW, reference, "c", "USD", 0, "{}")


def _text(owed: OwedToken, now_ms: int) -> str:
    return encode(Token(owed.order_id, owed.step, owed.version), now_ms)
