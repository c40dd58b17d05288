"""Providers that can be told what goes wrong with a call, on their way to the simulated ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.core.errors import NotAppliedError, UnansweredError
from conveyor.flows.shop.simulated.carrier import SimulatedCarrier

Send = Callable[[], Awaitable[Any]]
Trouble = Callable[[Send], Awaitable[Any]]


class Troubles:
    """What befalls the calls of one operation, in turn; the rest go through."""

    def __init__(self, operation: str, *troubles: Trouble) -> None:
        self.operation = operation
        self.troubles = list(troubles)
        self.keys: list[str] = []
        self.requests: list[Any] = []
        self.silent = False
        """Nobody answers, neither calls nor questions, and nothing is taken."""
        self.under_way = self.most = 0

    async def take(self, request: Any, key: str, send: Send) -> Any:
        """Let a call through, or not."""
        self.keys.append(key)
        self.requests.append(request)
        trouble = self.troubles.pop(0) if self.troubles else _through
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.silent:
                raise UnansweredError("nobody answers")
            return await trouble(send)
        finally:
            self.under_way -= 1

    async def ask(self, key: str, send: Send) -> Any:
        if self.silent and f".{self.operation}/" in key:
            raise UnansweredError("nobody answers")
        return await send()

    def of_payments(self, patched: pytest.MonkeyPatch) -> None:
        """Befall the payment provider."""
        through, lookup = SimulatedPaymentProvider._send, SimulatedPaymentProvider.lookup

        async def send(provider: Any, instruction: Any) -> Any:
            if instruction.operation.value != self.operation:
                return await through(provider, instruction)
            return await self.take(
                instruction.request, instruction.key, lambda: through(provider, instruction)
            )

        async def asked(provider: Any, key: str) -> Any:
            return await self.ask(key, lambda: lookup(provider, key))

        patched.setattr(SimulatedPaymentProvider, "_send", send)
        patched.setattr(SimulatedPaymentProvider, "lookup", asked)

    def of_carrier(self, patched: pytest.MonkeyPatch) -> None:
        """Befall the carrier."""
        through, status = SimulatedCarrier.dispatch, SimulatedCarrier.status

        async def dispatch(carrier: Any, parcel: Any, key: str) -> Any:
            return await self.take(parcel, key, lambda: through(carrier, parcel, key))

        async def asked(carrier: Any, key: str) -> Any:
            return await self.ask(key, lambda: status(carrier, key))

        patched.setattr(SimulatedCarrier, "dispatch", dispatch)
        patched.setattr(SimulatedCarrier, "status", asked)


async def _through(send: Send) -> Any:
    return await send()


def refuse(seconds: float = 0.0) -> Trouble:
    """It is certain, after a while, that nothing was done."""

    async def trouble(_send: Send) -> Any:
        await asyncio.sleep(seconds)
        raise NotAppliedError("too many requests")

    return trouble


def slow(seconds: float) -> Trouble:
    """The request takes its time to get there."""

    async def trouble(send: Send) -> Any:
        await asyncio.sleep(seconds)
        return await send()

    return trouble


def unheard(seconds: float = 0.0) -> Trouble:
    """It is done, and the answer is lost."""

    async def trouble(send: Send) -> Any:
        await send()
        await asyncio.sleep(seconds)
        raise UnansweredError("the answer was lost")

    return trouble


def lost() -> Trouble:
    """It never arrives, and nobody says so."""

    async def trouble(_send: Send) -> Any:
        raise UnansweredError("no answer")

    return trouble


def never() -> Trouble:
    """It is done, and the connection hangs for ever."""

    async def trouble(send: Send) -> Any:
        await send()
        await asyncio.Event().wait()

    return trouble
