"""Consumes the intake queue: every message becomes an order, or goes to the dead letters.

The message is the only copy of its order until the order is committed, so it is deleted after
that and no sooner. Its idempotency key makes a second delivery harmless; a message without one is
given its message id, which a redelivery keeps.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from pydantic import ValidationError

from conveyor.messaging.dead_letter import dead_letter
from conveyor.messaging.engine import Engine
from conveyor.messaging.errors import UnknownFlowError
from conveyor.messaging.lease import Leases
from conveyor.messaging.outbox import wait_for_stop
from conveyor.messaging.queue import (
    DEAD_LETTER_SUFFIX,
    LONG_POLL_SECONDS,
    Received,
    VisibilityChange,
)
from conveyor.services.orders.bodies import Bodies
from conveyor.services.orders.intake import read_intake
from conveyor.services.orders.placement import Answer, KeyReused, Placed, Placement

log = logging.getLogger(__name__)

INTAKE = "intake"
PAUSE_SECONDS = 1.0
REST_SECONDS = 5
MESSAGE_KEY_PREFIX = "message:"


@dataclass(frozen=True, slots=True)
class IntakePolicy:
    """Whose orders come in through the queue, and what the plain form leaves unsaid."""

    merchant: str = "default"
    currency: str = "USD"
    method: str = "card_ok"


@dataclass(frozen=True, slots=True)
class _Bad:
    reason: str


class IntakeConsumer:
    """Takes orders from the intake queue."""

    def __init__(
        self, engine: Engine, placement: Placement, bodies: Bodies, policy: IntakePolicy
    ) -> None:
        """Nothing is started; see `run`."""
        self._engine = engine
        self._placement = placement
        self._bodies = bodies
        self._policy = policy
        self._queue = engine.queues.queue(INTAKE)
        self._dead = engine.queues.queue(INTAKE + DEAD_LETTER_SUFFIX)
        self._leases = Leases(self._queue, engine.ambient)

    async def run(self, stop: asyncio.Event) -> None:
        """Take in orders until told to stop; what was received is finished first."""
        ended = asyncio.Event()
        keeper = asyncio.create_task(self._leases.keep(ended))
        waker = asyncio.create_task(self._wake(stop))
        while not stop.is_set():
            try:
                messages = await self._queue.receive(self._queue.receive_limit, LONG_POLL_SECONDS)
                await self.handle(messages)
            except Exception:
                log.exception("intake: messages stay in the queue and are tried again")
                await wait_for_stop(stop, PAUSE_SECONDS)
        await waker
        ended.set()
        await keeper

    async def handle(self, messages: Sequence[Received]) -> None:
        """Place the orders of these messages; returns when each is deleted or given back."""
        if not messages:
            return
        self._leases.take(messages)
        try:
            answers = await asyncio.gather(*(self._place(m) for m in messages))
        except BaseException:
            self._leases.drop(m.receipt for m in messages)
            raise
        deletes = [
            m.receipt
            for m, answer in zip(messages, answers, strict=True)
            if isinstance(answer, Placed) or await self._bury(m, answer)
        ]
        gone = set(deletes)
        rests = [
            VisibilityChange(m.receipt, REST_SECONDS) for m in messages if m.receipt not in gone
        ]
        await self._queue.delete(deletes)
        self._leases.drop(m.receipt for m in messages)
        if rests:
            await self._queue.set_visibility(rests)

    async def _place(self, message: Received) -> Answer | _Bad:
        try:
            value = orjson.loads(message.body)
            key, body = read_intake(value, self._bodies, self._policy.currency, self._policy.method)
            key = key or MESSAGE_KEY_PREFIX + message.message_id
            return await self._placement.place(self._policy.merchant, key, body)
        except ValidationError as error:
            return _Bad("; ".join(_say(e["loc"], e["msg"]) for e in error.errors()))
        except (ValueError, UnknownFlowError) as error:
            return _Bad(str(error))

    async def _bury(self, message: Received, answer: Answer | _Bad) -> bool:
        """Send to the dead letters what can never become an order; gives whether it is there."""
        match answer:
            case _Bad(reason):
                cause = reason
            case KeyReused(key, order_id):
                cause = f"orderId: {key!r} placed order {order_id}, with another body"
            case _:
                return False
        self._engine.tally["poisoned", INTAKE] += 1
        return not await self._dead.send([dead_letter(message, cause, INTAKE)])

    async def _wake(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._queue.wake()


def _say(location: tuple[int | str, ...], message: str) -> str:
    field = ".".join(str(part) for part in location)
    return f"{field}: {message}" if field else message
