"""Takes payment steps as the consumer would, one order at a time, without queues."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from conveyor.adapters.simulated.payment_account import Entry
from conveyor.adapters.simulated.payment_ledger import load
from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.commerce.payments import store
from conveyor.commerce.payments.model import Balance
from conveyor.commerce.payments.ports import PaymentProvider
from conveyor.commerce.payments.steps import payment_steps
from conveyor.core.ambient import Ambient
from conveyor.core.errors import NotAppliedError
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.outcome import Outcome
from conveyor.core.step import CallStep, Now
from conveyor.core.transaction import Database
from conveyor.settings import Settings
from conveyor.system.installation import installation
from conveyor.system.tables import create_all

INSTALLED = installation(Settings())
NOW_MS = 1_700_000_000_000
MOST_ATTEMPTS = 5


class StoppedClock:
    def now_ms(self) -> int:
        return NOW_MS


def ambient() -> Ambient:
    return Ambient(StoppedClock(), random.Random(7))


def an_order(
    name: str = "1", *, method: str = "card_ok", total: int = 2354, currency: str = "USD"
) -> Order:
    """Give an order as the core loads it; `name` makes its id."""
    body = {"payment": {"method": method}, "total": total, "currency": currency}
    return Order(
        id=name.rjust(26, "0"),
        merchant="m",
        flow="shop@1",
        reference=name,
        customer="c",
        currency=currency,
        total=total,
        raw_body=orjson.dumps(body).decode(),
        version=1,
        status=OrderStatus.PROCESSING,
        position=0,
        ending="",
        reason="",
        cancelling=False,
        group_key="",
        expected_at=NOW_MS,
        placed_at=NOW_MS,
        updated_at=NOW_MS,
        settled_at=None,
    )


@dataclass
class Shop:
    """Our books, a provider with a ledger of its own, and the steps between them."""

    database: Database
    provider_database: Database
    provider: SimulatedPaymentProvider

    async def take(self, step_name: str, order: Order) -> Outcome:
        """Take a step to its outcome; a fault is retried with a new key, `MOST_ATTEMPTS` times."""
        return await take(self.database, self.provider, step_name, order)

    async def books(self) -> list[Balance]:
        return await self.database.read(store.books)

    async def answered(self, order_id: str) -> list[Entry]:
        """List what the provider has answered for one order, oldest first."""
        entries = await self.provider_database.read(lambda tx: load(tx, [order_id]))
        return sorted(entries, key=lambda it: (it.at, it.key))

    async def close(self) -> None:
        await self.provider.close()
        await self.provider_database.close()
        await self.database.close()


async def open_shop(directory: Path) -> Shop:
    """Open, or open again after a crash, the shop that is kept in a directory."""
    database = SqliteDatabase(directory / "conveyor.db", inline=True)
    provider_database = SqliteDatabase(directory / "provider.db", inline=True)
    await create_all(database, INSTALLED)
    provider = SimulatedPaymentProvider(provider_database, ambient())
    await provider.open()
    return Shop(database, provider_database, provider)


async def take(
    database: Database, provider: PaymentProvider, step_name: str, order: Order
) -> Outcome:
    step = payment_steps(provider)[step_name]
    assert isinstance(step, CallStep)
    now = Now(NOW_MS)
    request = await database.run(lambda tx: step.prepare(tx, order, now))
    if isinstance(request, Outcome):
        return request
    answer = await _call(step, request, f"{order.id}/{step_name}")
    return await database.run(lambda tx: step.record(tx, order, answer, now))


async def _call(step: CallStep[Any, Any], request: object, key: str) -> object:
    fault: Exception | None = None
    for attempt in range(1, MOST_ATTEMPTS + 1):
        try:
            return await step.call(request, f"{key}/{attempt}")
        except NotAppliedError as error:
            fault = error
        except Exception:
            answer = await step.ask(request, f"{key}/{attempt}")
            if answer is not None:
                return answer
            raise
    assert fault is not None
    raise fault
