"""What waits for an operator: parked orders, and poison in the dead-letter queues."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.commerce.payments.store import payments
from conveyor.core.dead_letter import CAUSE, redriven
from conveyor.core.engine import Engine
from conveyor.core.errors import QueueUnavailableError
from conveyor.core.group_order import waiting_behind
from conveyor.core.order import Order
from conveyor.core.parking import Parked
from conveyor.core.place import place_of
from conveyor.core.queue import (
    DEAD_LETTER_SUFFIX,
    Outgoing,
    Queue,
    Received,
    VisibilityChange,
)
from conveyor.core.registry import Registry
from conveyor.core.tables import orders, parked
from conveyor.core.transaction import Tx

log = logging.getLogger(__name__)

MAX_PEEKED = 100
"""Messages of one dead-letter queue that a look at it shows."""
PEEK_SECONDS = 1.0
"""How long a look waits for messages that SQS counts and does not give."""


@dataclass(frozen=True, slots=True)
class ParkedOrder:
    """A parked order. `owed`: money, in minor units, that its customer is still to get back.

    `kept` is what was taken of it and not given back, `holds_back` how many orders wait behind it
    in its message group.
    """

    order: Order
    parked: Parked
    owed: int
    kept: int
    holds_back: int

    def to_collect(self, registry: Registry) -> int:
        """Give what its customer is still to pay: of what was delivered, and only of that."""
        flow = registry.flows.get(self.order.flow)
        past = flow is not None and flow.is_past_pivot(place_of(self.order))
        return max(self.order.total - self.kept, 0) if past else 0


@dataclass(frozen=True, slots=True)
class Poison:
    """A message that could never be handled; `queue` is where it came from."""

    message_id: str
    queue: str
    body: str
    cause: str
    sent_at: int


@dataclass(frozen=True, slots=True)
class Look:
    """What a look into the dead-letter queues has found.

    `not_shown`: how many more there are, by queue. SQS gives no more than ten of one message group
    at a time, and there may be more than `MAX_PEEKED`; once those that are shown are decided about,
    the others follow.
    """

    poison: list[Poison]
    not_shown: dict[str, int]


_KEPT = sa.func.coalesce(payments.c.captured - payments.c.refunded, 0)
_OWED = sa.func.coalesce(payments.c.captured - payments.c.refunded - payments.c.fee, 0)
_NOT_OWED = sa.or_(orders.c.ending == "", _OWED < 0)
_PARKED = (
    sa.select(parked, sa.case((_NOT_OWED, 0), else_=_OWED), _KEPT, waiting_behind(), orders)
    .join(orders, orders.c.id == parked.c.order_id)
    .outerjoin(payments, payments.c.order_id == parked.c.order_id)
    .order_by(parked.c.order_id)
)
_FIELDS = len(parked.c)


def parked_orders(
    tx: Tx, merchant: str | None, *, limit: int, after: str = ""
) -> list[ParkedOrder]:
    """List a merchant's parked orders, or everybody's, by id; `after` is the last one seen."""
    return _parked(tx, merchant, parked.c.order_id > after, limit)


def parked_order(tx: Tx, order_id: str, merchant: str | None) -> ParkedOrder | None:
    """Give a parked order of this merchant."""
    return next(iter(_parked(tx, merchant, parked.c.order_id == order_id, 1)), None)


async def look_into_dead_letters(engine: Engine) -> Look:
    """Look into every dead-letter queue; the messages stay, and are visible again at once."""
    looks = await asyncio.gather(*(_look(engine, name) for name in engine.registry.queues))
    not_shown: dict[str, int] = {}
    for look in looks:
        not_shown |= look.not_shown
    return Look([poison for look in looks for poison in look.poison], not_shown)


async def list_poison(engine: Engine) -> list[Poison]:
    """List what a look shows."""
    return (await look_into_dead_letters(engine)).poison


async def redrive_poison(engine: Engine, message_id: str) -> Poison | None:
    """Send a message to its queue again, and only then delete it; None: it is not there.

    Raises `QueueUnavailableError` when its queue does not take it.
    """
    for name in engine.registry.queues:
        async with _peek(_dead(engine, name)) as (messages, _):
            for message in _of(message_id, messages):
                again = Outgoing(
                    message.body,
                    group=message.group or name,
                    deduplication_id=message.message_id,
                    attributes=redriven(message),
                )
                if await engine.queues.queue(name).send([again]):
                    raise QueueUnavailableError(name, "it did not take the message")
                await _dead(engine, name).delete([message.receipt])
                return _poison(name, message)
    return None


async def discard_poison(engine: Engine, message_id: str, reason: str) -> Poison | None:
    """Delete a message for good; None: it is not there."""
    for name in engine.registry.queues:
        async with _peek(_dead(engine, name)) as (messages, _):
            for message in _of(message_id, messages):
                await _dead(engine, name).delete([message.receipt])
                log.warning("%s: discarded %s: %s", name, message_id, reason)
                return _poison(name, message)
    return None


def _parked(
    tx: Tx, merchant: str | None, which: sa.ColumnElement[bool], limit: int
) -> list[ParkedOrder]:
    query = _PARKED.where(which).limit(limit)
    if merchant is not None:
        query = query.where(orders.c.merchant == merchant)
    return [
        ParkedOrder(
            Order(*row[_FIELDS + 3 :]),
            Parked(*row[:_FIELDS]),
            *(int(number) for number in row[_FIELDS : _FIELDS + 3]),
        )
        for row in tx.execute(query)
    ]


async def _look(engine: Engine, name: str) -> Look:
    async with _peek(_dead(engine, name)) as (messages, more):
        return Look([_poison(name, message) for message in messages], {name: more} if more else {})


@asynccontextmanager
async def _peek(queue: Queue) -> AsyncIterator[tuple[list[Received], int]]:
    """Receive without keeping: SQS has no other way to look; gives how many more there are too.

    Nothing else consumes a dead-letter queue and nothing is moved from it, so a higher receive
    count harms nobody; whoever looks at the same moment sees fewer.
    """
    messages: list[Received] = []
    try:
        depth = await queue.depth()
        wanted = min(depth.visible, MAX_PEEKED)
        while len(messages) < wanted:
            page = await queue.receive(min(queue.receive_limit, MAX_PEEKED), PEEK_SECONDS)
            if not page:
                break
            messages += page
        yield messages, max(depth.total - len(messages), 0)
    finally:
        if messages:
            await queue.set_visibility([VisibilityChange(m.receipt, 0) for m in messages])


def _dead(engine: Engine, name: str) -> Queue:
    return engine.queues.queue(name + DEAD_LETTER_SUFFIX)


def _of(message_id: str, messages: Sequence[Received]) -> list[Received]:
    return [message for message in messages if message.message_id == message_id][:1]


def _poison(name: str, message: Received) -> Poison:
    cause = dict(message.attributes).get(CAUSE, "")
    return Poison(message.message_id, name, message.body, cause, message.sent_at_ms)
