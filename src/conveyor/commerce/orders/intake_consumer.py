"""Consumes the intake queue: every message becomes an order, or goes to the dead letters.

The message is the only copy of its order until the order is committed, so it is deleted after
that and no sooner. Its idempotency key makes a second delivery harmless: the key of its body, else
the attribute `idempotency-key`, else the id with which it was first sent, which a redrive keeps.
While nothing can be committed, or too many orders are being placed, what is in hand waits, and
nothing more is received.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import orjson
from pydantic import ValidationError

from conveyor.commerce.orders.bodies import Bodies
from conveyor.commerce.orders.intake import KEY_FIELD, Keyed, read_intake
from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.orders.placement import (
    Answer,
    KeyInFlight,
    KeyReused,
    Overloaded,
    Placed,
    Placement,
)
from conveyor.commerce.orders.raw_json import flaw_of
from conveyor.core.dead_letter import first_message_id
from conveyor.core.disposal import GIVEN_BACK_SECONDS, Disposal
from conveyor.core.engine import Engine
from conveyor.core.errors import UNABLE, UnknownFlowError
from conveyor.core.lease import MessageLeases
from conveyor.core.queue import Received
from conveyor.core.receiving import Receiver
from conveyor.core.supervision import wait_for_stop
from conveyor.core.tracing import CURRENT, TRACEPARENT, read_traceparent

log = logging.getLogger(__name__)

INTAKE = "intake"
PAUSE_SECONDS = 1.0
MESSAGE_KEY_PREFIX = "message:"
KEY_ATTRIBUTE = "idempotency-key"
"""The attribute of a message that says its idempotency key where its body does not."""


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
        queue = engine.queues.queue(INTAKE)
        self._leases = MessageLeases(queue, engine.ambient)
        self._disposal = Disposal(engine, INTAKE, self._leases)
        self._receiver = Receiver(engine, queue, _room, self._take)
        self._stopping = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Take in orders until told to stop; what was received is finished or given back first."""
        keep = self._engine.supervisor.keep
        ended = asyncio.Event()
        keeper = asyncio.create_task(keep(f"leases of {INTAKE}", self._leases.keep, ended))
        poll = partial(self._receiver.poll, first=True)
        poller = asyncio.create_task(keep(f"receive {INTAKE}", poll, stop))
        await stop.wait()
        self._stopping.set()
        self._receiver.wake()
        try:
            await asyncio.wait_for(poller, self._engine.limits.grace_seconds)
        except TimeoutError:
            log.warning("intake: %d messages left to their visibility timeout", len(self._leases))
        ended.set()
        await keeper

    async def _take(self, messages: Sequence[Received], stop: asyncio.Event) -> None:
        if stop.is_set():
            # A poll under way at shutdown still returns messages: give them back at once.
            await self._disposal.give_back({message.receipt: 0 for message in messages})
        else:
            await self.handle(messages)

    async def handle(self, messages: Sequence[Received]) -> None:
        """Place the orders of these messages; returns when each is deleted or given back."""
        self._leases.take(messages)
        await asyncio.gather(*(self._handle(message) for message in messages))

    def let_go(self) -> None:
        """Wait for nothing any more: what cannot be placed now is given back."""
        self._stopping.set()

    async def _handle(self, message: Received) -> None:
        if self._engine.traces is not None:
            CURRENT.set(read_traceparent(dict(message.attributes).get(TRACEPARENT)))
        said = "intake: a message stays in the queue and is tried again"
        with self._engine.gate.surviving(log, said) as handling:
            answer = await self._place(message)
            match answer:
                case Placed():
                    await self._disposal.delete([message.receipt])
                case _Bad() | KeyReused():
                    self._engine.tally["poisoned", INTAKE] += 1
                    await self._disposal.bury(message, _cause(answer))
                case _:
                    await self._disposal.give_back({message.receipt: GIVEN_BACK_SECONDS})
        if handling.error:
            await self._let_rest(message)

    async def _let_rest(self, message: Received) -> None:
        said = "intake: a message comes back when its visibility timeout ends"
        with self._engine.gate.surviving(log, said):
            await self._disposal.give_back(
                {message.receipt: self._disposal.rest(message.receive_count)}
            )

    async def _place(self, message: Received) -> Answer | _Bad | None:
        """Give what became of it; None: it cannot be placed now."""
        try:
            if flaw := flaw_of(message.body):
                return _Bad(flaw)
            value = orjson.loads(message.body)
            key, body = read_intake(value, self._bodies, self._policy.currency, self._policy.method)
            key = key or _known_by(message)
            return await self._when_possible(key, body)
        except ValidationError as error:
            return _Bad("; ".join(_say(e["loc"], e["msg"]) for e in error.errors()))
        except (ValueError, UnknownFlowError) as error:
            return _Bad(str(error))

    async def _when_possible(self, key: str, body: OrderBody) -> Answer | None:
        gate = self._engine.gate
        while not self._stopping.is_set():
            if not (gate.is_open or await gate.opened_in_time(self._stopping)):
                return None
            try:
                answer = await self._placement.place(self._policy.merchant, key, body)
            except UNABLE as error:
                gate.close(error)
                continue
            if not isinstance(answer, Overloaded | KeyInFlight):
                return answer
            await wait_for_stop(self._stopping, PAUSE_SECONDS)
        return None


async def _room(_stop: asyncio.Event) -> None:
    """There is always room: what has been received is placed before more is."""


def _cause(answer: KeyReused | _Bad) -> str:
    if isinstance(answer, KeyReused):
        return f"the key {answer.key!r} placed order {answer.order_id}, with another body"
    return answer.reason


def _known_by(message: Received) -> str:
    key = dict(message.attributes).get(KEY_ATTRIBUTE)
    if key is None:
        return MESSAGE_KEY_PREFIX + first_message_id(message)
    return Keyed.model_validate({KEY_FIELD: key}).idempotency_key


def _say(location: tuple[int | str, ...], message: str) -> str:
    field = ".".join(str(part) for part in location)
    return f"{field}: {message}" if field else message
