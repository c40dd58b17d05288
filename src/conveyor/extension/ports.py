"""Whom steps call outside, and what they use: opened once a process, for as long as it lives."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from conveyor.commerce.payments.ports import PaymentProvider
from conveyor.core.ambient import Ambient
from conveyor.core.bound import Bound
from conveyor.settings import PREFIX, Settings

T = TypeVar("T")

Opens = Callable[[Settings, Ambient], AbstractAsyncContextManager[T]]
"""Opens somebody for as long as a process lives, with the client that it needs."""
SIMULATED = "simulated"


@dataclass(frozen=True, eq=False)
class Port(Generic[T]):
    """Somebody outside whom steps call, or a client that they use.

    `opens` opens it. With `setting`, an environment variable, a deployment may name another, by
    what extensions offer (`Extension.offers`) or as `package.module:NAME`; `opens` is then the
    simulated one, which on PostgreSQL has to be named too.

    Who is opened may say by its attributes how long a call of it may take (`call_seconds`), and
    how many there may be at once in a process (`calls_at_once`), else the settings do.

    `by_merchant`: the setting may name others for some merchants, as in `bank, acme=other`, and
    who is kept for the orders that have called it, as in `bank, =old`. A service that `calls` it
    has steps for each of them, and an order keeps to whom it called first.
    """

    name: str
    opens: Opens[T]
    setting: str = ""
    by_merchant: bool = False

    def chosen(self, settings: Settings) -> str:
        """Give what the setting says; '' for nothing."""
        field = self.setting.removeprefix(PREFIX).lower()
        if field in Settings.model_fields:
            return str(getattr(settings, field))
        return os.environ.get(self.setting, "")


class Ports(Protocol):
    """Who is outside, by the port."""

    def __getitem__(self, port: Port[T], /) -> T:
        """Give who was opened; before that, one who will be when it is first called."""
        ...


class OpenedPorts(Ports, Protocol):
    """The same, once they are opened."""

    def bound(self, port: Port[T], /) -> Bound[T]:
        """Give all who were opened for it, by name, and whose orders call which."""
        ...


def _simulated_payments(
    settings: Settings, ambient: Ambient
) -> AbstractAsyncContextManager[PaymentProvider]:
    from conveyor.adapters.simulated.opening import open_payments

    return open_payments(settings, ambient)


PAYMENTS: Port[PaymentProvider] = Port(
    "payment provider", _simulated_payments, "CONVEYOR_PAYMENT_PROVIDER", by_merchant=True
)
