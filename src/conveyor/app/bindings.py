"""Who takes the money and who carries the goods: what the settings name becomes a port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Generic, NoReturn, TypeVar, cast

from conveyor.app.backends import SettingError
from conveyor.app.extension_loading import find_named
from conveyor.app.installation import Installation
from conveyor.extension import AnyStep, CarrierBinding, Given, PaymentBinding
from conveyor.messaging.ambient import Ambient
from conveyor.messaging.errors import ConveyorError
from conveyor.services.payments.ports import PaymentAnswer, PaymentProvider, PaymentRequest
from conveyor.services.shipping.ports import Carrier, CarrierAnswer, Parcel
from conveyor.settings import Settings

SIMULATED = "simulated"
PAYMENTS, CARRIER = "CONVEYOR_PAYMENT_PROVIDER", "CONVEYOR_CARRIER"

T = TypeVar("T")
B = TypeVar("B", PaymentBinding, CarrierBinding)


class NotOpenError(ConveyorError):
    """A step has called before the process was open: a fault of ours."""


class Bound(Generic[T]):
    """What stands for a provider in steps that are made before it is opened."""

    def __init__(self, setting: str, connect: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        """`connect` opens what `setting` names."""
        self._setting = setting
        self._connect = connect
        self._opened = AsyncExitStack()
        self._it: T | None = None

    async def open(self) -> None:
        """Open it. Raises `SettingError`, whatever it raises."""
        try:
            self._it = await self._opened.enter_async_context(self._connect())
        except Exception as error:
            cause = f"what it names cannot be opened: {type(error).__name__}: {error}"
            raise SettingError(self._setting, cause) from error

    async def close(self) -> None:
        """Close it."""
        self._it = None
        await self._opened.aclose()

    @property
    def it(self) -> T:
        """Give what was opened."""
        if self._it is None:
            raise NotOpenError
        return self._it


class BoundPayments(Bound[PaymentProvider]):
    """A payment provider that the settings name; see the port."""

    async def authorize(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self.it.authorize(request, key)

    async def capture(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self.it.capture(request, key)

    async def charge(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self.it.charge(request, key)

    async def void(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self.it.void(request, key)

    async def refund(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """See `PaymentProvider`."""
        return await self.it.refund(request, key)

    async def lookup(self, key: str) -> PaymentAnswer | None:
        """See `PaymentProvider`."""
        return await self.it.lookup(key)


class BoundCarrier(Bound[Carrier]):
    """A carrier that the settings name; it tells of arrivals by webhook, from where it is."""

    async def dispatch(self, parcel: Parcel, key: str) -> CarrierAnswer:
        """See `Carrier`."""
        return await self.it.dispatch(parcel, key)

    async def status(self, key: str) -> CarrierAnswer | None:
        """See `Carrier`."""
        return await self.it.status(key)


@dataclass(frozen=True, slots=True)
class Bindings:
    """What the settings name; None: a simulated one."""

    payments: BoundPayments | None
    carrier: BoundCarrier | None

    async def open(self) -> None:
        """Open both. Raises `SettingError`."""
        for bound in (self.payments, self.carrier):
            if bound is not None:
                await bound.open()

    async def close(self) -> None:
        """Close both."""
        for bound in (self.payments, self.carrier):
            if bound is not None:
                await bound.close()


NOBODY = Bindings(None, None)


def described(settings: Settings, ambient: Ambient, installed: Installation) -> dict[str, AnyStep]:
    """Give the steps to be described, and not taken: provider and carrier are never opened.

    Raises `ExtensionError`.
    """
    payments = BoundPayments(PAYMENTS, _never)
    carrier = BoundCarrier(CARRIER, _never)
    return installed.steps(Given(settings, ambient, payments, carrier, installed.payers))


def _never() -> NoReturn:
    raise NotOpenError


def bindings(settings: Settings, ambient: Ambient, installed: Installation) -> Bindings:
    """Give the payment provider and the carrier; simulated ones only where that is said.

    On a laptop, with an embedded database, it need not be. Raises `SettingError`, `ExtensionError`.
    """
    providers: dict[str, PaymentBinding] = {}
    carriers: dict[str, CarrierBinding] = {}
    for extension in installed.extensions:
        providers |= extension.payment_providers
        carriers |= extension.carriers
    provider = _binding(PAYMENTS, settings.payment_provider, providers, settings)
    carrier = _binding(CARRIER, settings.carrier, carriers, settings)
    return Bindings(
        BoundPayments(PAYMENTS, partial(provider, settings, ambient)) if provider else None,
        BoundCarrier(CARRIER, partial(carrier, settings, ambient)) if carrier else None,
    )


def _binding(setting: str, name: str, offered: Mapping[str, B], settings: Settings) -> B | None:
    """Give what opens who is named; None: a simulated one."""
    if name == SIMULATED or (not name and settings.database_path is not None):
        return None
    if not name:
        # A deployment must never believe that it took money.
        cause = f"name yours (docs/your-provider.md), or say `{SIMULATED}`: then nothing is moved"
        raise SettingError(setting, cause)
    binding = find_named(name, setting) if ":" in name else offered.get(name)
    if binding is None:
        known = ", ".join([SIMULATED, *offered])
        raise SettingError(setting, f"{name!r} is none of {known}, and no package.module:NAME")
    if not callable(binding):
        kind = type(binding).__name__
        raise SettingError(setting, f"{name!r} is of type {kind}, and no function that opens one")
    return cast("B", binding)
