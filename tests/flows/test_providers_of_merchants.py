"""A merchant has a provider of its own: it takes the money, and only its orders wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.flows.test_calls import assert_clean
from tests.flows.test_outages import ORDER

from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.checks.pages import FIRST_ID, LAST_ID
from conveyor.commerce.orders.placement import Placed
from conveyor.commerce.orders.store import find
from conveyor.commerce.payments.ports import PaymentAnswer, PaymentRequest
from conveyor.core.errors import NotAppliedError
from conveyor.extension import PAYMENTS, Ambient
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.operations.audit import run_audit
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

MINUTE = 60.0
NAMED = {"payment_provider": "simulated, acme=tests.flows.test_providers_of_merchants:acme_bank"}


class AcmeBank(SimulatedPaymentProvider):
    """A bank of one merchant, which can be out."""

    is_out = False
    call_seconds = 7.0
    books: SqliteDatabase
    """Of the one that was opened last: a machine's death leaves them to their owner."""

    async def authorize(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        if self.is_out:
            raise NotAppliedError("it is out")
        return await super().authorize(request, key)


@asynccontextmanager
async def acme_bank(settings: Settings, ambient: Ambient) -> AsyncIterator[AcmeBank]:
    database = SqliteDatabase(settings.directory / "acme.db", inline=True)
    AcmeBank.books = database
    bank = AcmeBank(database, ambient)
    await bank.open()
    yield bank
    await bank.close()
    await database.close()


async def place(app: App, merchant: str) -> str:
    await app.parts.database.run(lambda tx: set_stock(tx, merchant, "CD", 1_000))
    placed = await app.placement.place(merchant, "", app.installed.bodies.read(ORDER))
    assert isinstance(placed, Placed)
    return placed.order_id


async def statuses(app: App, ids: Iterable[str]) -> set[str]:
    found = await app.parts.database.read(lambda tx: [find(tx, one, None) for one in ids])
    return {order.status for order in found if order}


def bank_of_acme(app: App) -> Any:
    return app.ports.bound(PAYMENTS).get("acme")


def test_each_is_paid_by_its_own_and_the_audit_asks_each(tmp_path: Path) -> None:
    async def life(app: App) -> None:
        ours, acmes = await place(app, "default"), await place(app, "acme")
        await asyncio.sleep(MINUTE)
        assert await statuses(app, [ours, acmes]) == {"completed"}
        everybodys: Any = app.ports[PAYMENTS]
        assert set(await everybodys.moved_between(FIRST_ID, LAST_ID)) == {ours}
        assert set(await bank_of_acme(app).moved_between(FIRST_ID, LAST_ID)) == {acmes}
        await assert_clean(app)
        report = await run_audit(app)
        [books] = [it for it in report.findings if it.name == "books_equal_provider"]
        assert books.figures["USD"]["provider"]["captured"] == 2 * 1_177

    Machine(tmp_path, NAMED).run(life)


def test_who_answers_nobody_is_paused_for_its_merchant_alone(tmp_path: Path) -> None:
    async def life(app: App) -> None:
        bank = bank_of_acme(app)
        bank.is_out = True
        acmes = [await place(app, "acme") for _ in range(10)]
        ours = [await place(app, "default") for _ in range(10)]
        await asyncio.sleep(10 * MINUTE)
        assert await statuses(app, ours) == {"completed"}
        assert await statuses(app, acmes) == {"processing"}
        paused = [it.name for it in app.engine.providers if it.breaker.is_paused]
        assert paused == [f"payment provider {NAMED['payment_provider'].rpartition('=')[2]}"]
        bank.is_out = False
        await asyncio.sleep(2 * MINUTE)
        assert await statuses(app, acmes) == {"completed"}

    Machine(tmp_path, NAMED).run(life)


def test_each_has_its_own_deadline(tmp_path: Path) -> None:
    async def life(app: App) -> None:
        providers = app.engine.providers
        assert providers.of("payments", "acme").call_seconds == AcmeBank.call_seconds
        assert providers.of("payments", "default").call_seconds == 30.0
        assert providers.seconds_of("payments") == 30.0

    Machine(tmp_path, NAMED).run(life)
