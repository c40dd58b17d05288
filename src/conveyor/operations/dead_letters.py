"""Messages that wait for an operator: those drained into the database, and those still in a queue.

Both are seen together. A message that is in both, since somebody died between commit and delete,
counts as drained; one that was decided about is not seen any more, wherever a copy of it lies.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from conveyor.core import dead_messages, operator_actions
from conveyor.core.actor import NOBODY, Actor
from conveyor.core.dead_letter import redriven
from conveyor.core.dead_messages import DeadMessage, MessageDecision, dead_message
from conveyor.core.engine import Engine
from conveyor.core.errors import QueueUnavailableError
from conveyor.core.queue import (
    DEAD_LETTER_SUFFIX,
    Outgoing,
    Queue,
    Received,
    VisibilityChange,
)
from conveyor.core.transaction import Tx

MAX_PEEKED = 100
"""Messages of one dead-letter queue that a look at it shows."""
MAX_KEPT = 500
"""Messages that were drained into the database which a look shows."""
PEEK_SECONDS = 1.0
"""How long a look waits for messages that SQS counts and does not give."""


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


async def look_into_dead_letters(engine: Engine) -> Look:
    """Look at what was drained, and into every dead-letter queue; what is there stays there."""
    looks = await asyncio.gather(*(_look(engine, name) for name in engine.registry.queues))
    seen = [poison for look in looks for poison in look.poison]

    def read(tx: Tx) -> tuple[list[DeadMessage], dict[str, int], set[str]]:
        ids = [it.message_id for it in seen]
        kept = dead_messages.waiting(tx, MAX_KEPT)
        return kept, dead_messages.counts(tx), dead_messages.known(tx, ids)

    # After the queues: what is on its way from there is seen at least once.
    kept, counts, known = await engine.database.read(read)
    not_shown: Counter[str] = Counter(counts)
    not_shown.subtract(it.queue for it in kept)
    for look in looks:
        not_shown.update(look.not_shown)
    fresh = [it for it in seen if it.message_id not in known]
    return Look([*map(_poison, kept), *fresh], dict(+not_shown))


async def list_poison(engine: Engine) -> list[Poison]:
    """List what a look shows."""
    return (await look_into_dead_letters(engine)).poison


async def redrive_poison(engine: Engine, message_id: str, *, by: Actor = NOBODY) -> Poison | None:
    """Send a message to its queue again, and only then delete it; None: it is not there.

    Raises `QueueUnavailableError` when its queue does not take it.
    """
    if await _is_known(engine, message_id):
        return await _redrive_kept(engine, message_id, by)
    for name in engine.registry.queues:
        async with _peek(_dead(engine, name)) as (messages, _):
            for message in _of(message_id, messages):
                it = dead_message(name, message)
                await _note(engine, by, "redrive", it)
                await _send_again(engine, it)
                await _dead(engine, name).delete([message.receipt])
                return _poison(it)
    return None


async def discard_poison(
    engine: Engine, message_id: str, reason: str, *, by: Actor = NOBODY
) -> Poison | None:
    """Delete a message for good; None: it is not there."""
    by = replace(by, why=reason)
    if await _is_known(engine, message_id):
        return await engine.database.run(lambda tx: _discard_kept(tx, engine, message_id, by))
    for name in engine.registry.queues:
        async with _peek(_dead(engine, name)) as (messages, _):
            for message in _of(message_id, messages):
                it = dead_message(name, message)
                await _note(engine, by, "discard", it)
                await _dead(engine, name).delete([message.receipt])
                return _poison(it)
    return None


async def _is_known(engine: Engine, message_id: str) -> bool:
    return bool(await engine.database.read(lambda tx: dead_messages.known(tx, [message_id])))


async def _redrive_kept(engine: Engine, message_id: str, by: Actor) -> Poison | None:
    """Have it in hand, send it, and only then decide: who dies before that leaves it here."""
    now = engine.ambient.now_ms()

    def take(tx: Tx) -> DeadMessage | None:
        found = dead_messages.take(tx, message_id, now)
        if found is not None:
            dead_messages.hold(tx, message_id, now + dead_messages.IN_HAND_MS)
            _log(tx, by, "redrive", found, now)
        return found

    it = await engine.database.run(take)
    if it is None:
        return None
    try:
        await _send_again(engine, it)
    except Exception:
        await engine.database.run(lambda tx: dead_messages.hold(tx, message_id, 0))
        raise
    done = MessageDecision.REDRIVEN
    await engine.database.run(lambda tx: dead_messages.decide(tx, message_id, done, now))
    return _poison(it)


def _discard_kept(tx: Tx, engine: Engine, message_id: str, by: Actor) -> Poison | None:
    now = engine.ambient.now_ms()
    found = dead_messages.take(tx, message_id, now)
    if found is None:
        return None
    dead_messages.decide(tx, message_id, MessageDecision.DISCARDED, now)
    _log(tx, by, "discard", found, now)
    return _poison(found)


async def _send_again(engine: Engine, it: DeadMessage) -> None:
    again = Outgoing(
        it.body,
        group=it.group or it.queue,
        deduplication_id=it.message_id,
        attributes=redriven(it.message_id, it.attributes),
    )
    if await engine.queues.queue(it.queue).send([again]):
        raise QueueUnavailableError(it.queue, "it did not take the message")


async def _note(engine: Engine, by: Actor, what: str, it: DeadMessage) -> None:
    """Write it down first: no transaction holds both a database and a queue."""
    now = engine.now().ms
    await engine.database.run(lambda tx: _log(tx, by, what, it, now))


def _log(tx: Tx, by: Actor, what: str, it: DeadMessage, now_ms: int) -> None:
    facts, action = {"queue": it.queue}, f"messages.{what}"
    operator_actions.note(tx, by, action, now_ms, subject=it.message_id, detail=facts)


async def _look(engine: Engine, name: str) -> Look:
    async with _peek(_dead(engine, name)) as (messages, more):
        return Look(
            [_poison(dead_message(name, message)) for message in messages],
            {name: more} if more else {},
        )


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


def _poison(it: DeadMessage) -> Poison:
    return Poison(it.message_id, it.queue, it.body, it.cause, it.sent_at)
