"""A payment provider for development, tests and demos, steered by the payment method.

It keeps a ledger of its own that survives everything our processes do not, so that our books can
be checked against it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from sqlalchemy.exc import IntegrityError

from conveyor.adapters.faults import Breakable
from conveyor.adapters.simulated import payment_ledger as ledger
from conveyor.adapters.simulated.payment_account import OPENING, Operation
from conveyor.adapters.simulated.payment_answers import (
    Incoming,
    Instruction,
    Method,
    Question,
    Result,
    answer,
)
from conveyor.adapters.simulated.payment_faults import PaymentFaults
from conveyor.commerce.payments.model import Balance
from conveyor.commerce.payments.ports import Moved, PaymentAnswer, PaymentRequest
from conveyor.core.ambient import Ambient
from conveyor.core.batching import Batcher
from conveyor.core.transaction import Database

SLOW_SECONDS = 2.0
MAX_GROUP = 256


class SimulatedPaymentProvider(Breakable):
    """The `PaymentProvider` port on a ledger; requests that wait at once share a transaction."""

    def __init__(
        self,
        database: Database,
        ambient: Ambient,
        *,
        latency_seconds: float = 0.0,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        """`slow_seconds` is the latency of `card_slow`, `latency_seconds` that of all others."""
        self._database = database
        self._ambient = ambient
        self._latency = latency_seconds
        self._slow = slow_seconds
        self._faults = PaymentFaults()
        self.faults = self._faults.all
        # One lane: a lookup finds whatever was sent before it.
        self._groups: Batcher[Incoming, PaymentAnswer | None] = Batcher(self._handle, MAX_GROUP)

    async def open(self) -> None:
        """Create the ledger where it is missing."""
        await self._database.run(ledger.create)

    async def close(self) -> None:
        """Finish what was sent. The database stays open: it was handed in."""
        await self._groups.join()

    async def authorize(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self._send(Instruction(Operation.AUTHORIZE, request, key))

    async def capture(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self._send(Instruction(Operation.CAPTURE, request, key))

    async def charge(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self._send(Instruction(Operation.CHARGE, request, key))

    async def void(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self._send(Instruction(Operation.VOID, request, key))

    async def refund(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self._send(Instruction(Operation.REFUND, request, key))

    async def lookup(self, key: str) -> PaymentAnswer | None:
        """See `PaymentProvider`."""
        self._faults.before_question()
        return await self._groups.submit(Question(key))

    async def moved_between(self, after: str, upto: str) -> Mapping[str, Moved]:
        """See `OpenLedger`."""
        return await self._database.examine(lambda tx: ledger.moved_between(tx, after, upto))

    async def totals(self) -> list[Balance]:
        """Sum the ledger by currency, in the form of our own books."""
        return await self._database.read(ledger.totals)

    async def _send(self, instruction: Instruction) -> PaymentAnswer:
        slow = instruction.request.method == Method.SLOW
        seconds = self._slow if slow else self._latency
        if seconds:
            await asyncio.sleep(seconds)
        await self._faults.before_request()
        befallen = replace(
            instruction,
            fails=self._faults.failing.strikes(),
            declined=instruction.operation in OPENING and self._faults.declined.strikes(),
        )
        # Only a question may find nothing.
        return cast("PaymentAnswer", await self._groups.submit(befallen))

    async def _handle(self, group: Sequence[Incoming]) -> Sequence[Result]:
        at = self._ambient.now_ms()
        try:
            return await self._database.run(lambda tx: answer(tx, group, at))
        except IntegrityError:  # another process took one of the keys: its answer is there now
            return await self._database.run(lambda tx: answer(tx, group, at))
