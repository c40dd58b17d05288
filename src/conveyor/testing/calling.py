"""A simulated process's ways to the provider and the carrier."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from conveyor.adapters.simulated.payment_account import Operation
from conveyor.services.payments.ports import PaymentAnswer, PaymentRequest
from conveyor.services.shipping.ports import CarrierAnswer, Parcel

if TYPE_CHECKING:
    from conveyor.testing.process import Process


class ProviderPort:
    """See `PaymentProvider`."""

    def __init__(self, process: Process) -> None:
        self._world = process.world

    async def open(self) -> None:
        """It is open, always."""

    async def authorize(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self._send(Operation.AUTHORIZE, request, key)

    async def capture(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self._send(Operation.CAPTURE, request, key)

    async def charge(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self._send(Operation.CHARGE, request, key)

    async def void(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self._send(Operation.VOID, request, key)

    async def refund(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self._send(Operation.REFUND, request, key)

    async def lookup(self, key: str) -> PaymentAnswer | None:
        """See `PaymentProvider`."""
        outside = self._world.outside
        look = partial(outside.look_up, key)
        order_id = key.partition("/")[0]
        return await outside.wire("lookup", order_id, key, self._world.latency(), look)

    async def _send(self, operation: Operation, request: PaymentRequest, key: str) -> PaymentAnswer:
        outside = self._world.outside
        pay = partial(outside.pay, operation, request, key)
        return await outside.wire(
            operation.value, request.order_id, key, self._world.latency(), pay
        )


class CarrierPort:
    """See `Carrier`; arrivals are told by the outside."""

    def __init__(self, process: Process) -> None:
        self._world = process.world

    async def open(self) -> None:
        """It is open, always."""

    async def run(self, stop: asyncio.Event) -> None:
        """Nothing of it runs in our processes."""
        await stop.wait()

    async def dispatch(self, parcel: Parcel, key: str) -> CarrierAnswer:
        """See `Carrier`."""
        outside = self._world.outside
        take = partial(outside.dispatch, parcel, key)
        latency = self._world.latency()
        return await outside.wire("dispatch", parcel.order_id, key, latency, take)

    async def status(self, key: str) -> CarrierAnswer | None:
        """See `Carrier`."""
        outside = self._world.outside
        look = partial(outside.status, key)
        order_id = key.partition("/")[0]
        return await outside.wire("status", order_id, key, self._world.latency(), look)

    async def shipped_twice(self) -> list[str]:
        """See the simulated carrier."""
        counts: dict[str, int] = {}
        for parcel in self._world.outside.parcels.values():
            if parcel.arrives_at is not None:
                counts[parcel.order_id] = counts.get(parcel.order_id, 0) + 1
        return [order_id for order_id, count in counts.items() if count > 1]
