"""A simulated process's ways to the provider and the carrier."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from functools import partial
from typing import TYPE_CHECKING, Any

from conveyor.adapters.simulated.payment_account import Account, Operation
from conveyor.commerce.payments.ports import Moved, PaymentAnswer, PaymentRequest
from conveyor.core.errors import NotAppliedError
from conveyor.flows.shop.shipping.ports import CarrierAnswer, Parcel, ParcelOnRecord
from conveyor.testing.fate import Fate
from conveyor.testing.loop import START_MS
from conveyor.testing.provider import ParcelTaken

if TYPE_CHECKING:
    from conveyor.testing.process import Process

KEY = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}/.+")
"""What a step calls with: order, step and attempt."""


class ProviderPort:
    """See `PaymentProvider`."""

    def __init__(self, process: Process) -> None:
        self._world = process.world

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

    async def moved_between(self, after: str, upto: str) -> Mapping[str, Moved]:
        """See `OpenLedger`."""
        accounts: defaultdict[str, Account] = defaultdict(Account)
        for entry in self._world.outside.entries:
            if entry.approved and after < entry.order_id <= upto:
                accounts[entry.order_id].post(entry)
        return {order_id: Moved(*astuple(account)) for order_id, account in accounts.items()}

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

    async def statement(self, keys: Sequence[str]) -> Mapping[str, ParcelOnRecord]:
        """See `Statement`."""
        parcels = self._world.outside.parcels
        return {key: _on_record(parcels[key]) for key in keys if key in parcels}

    async def parcels_after(self, key: str) -> Sequence[ParcelOnRecord]:
        """See `OpenLedger`: all of them at once."""
        parcels = self._world.outside.parcels
        return [_on_record(parcels[other]) for other in sorted(parcels) if other > key]


class OwnPort:
    """A port that a user's flow brings: whatever is awaited of it goes over the wire."""

    def __init__(self, process: Process, name: str, port: object) -> None:
        self._world, self._name, self._port = process.world, name, port

    def __getattr__(self, method: str) -> Any:
        attribute = getattr(self._port, method)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        async def send(*args: Any, **kwargs: Any) -> Any:
            key = next((it for it in (*args, *kwargs.values()) if _is_key(it)), "")
            order_id = key.partition("/")[0]
            latency = self._world.latency()
            act = partial(self._act, partial(attribute, *args, **kwargs))
            return await self._world.outside.wire(self._name, order_id, key, latency, act)

        return send

    def _act(self, act: Callable[[], Any], fate: Fate) -> Any:
        if fate.is_no or fate.how in {"unavailable", "saved_error"}:
            raise NotAppliedError(f"the {self._name} does nothing now")
        return act()


def _is_key(argument: object) -> bool:
    return isinstance(argument, str) and KEY.fullmatch(argument) is not None


def _on_record(parcel: ParcelTaken) -> ParcelOnRecord:
    at = None if parcel.arrives_at is None else START_MS + round(parcel.arrives_at * 1000)
    return ParcelOnRecord(parcel.key, parcel.order_id, parcel.tracking, at)
