"""An order that has called a provider keeps to it, whatever the settings name by then."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.flows.test_calls import assert_clean
from tests.flows.test_providers_of_merchants import MINUTE, NAMED, AcmeBank, place, statuses

from conveyor.checks.pages import FIRST_ID, LAST_ID
from conveyor.commerce.payments.ports import PaymentAnswer, PaymentRequest
from conveyor.core.errors import NotAppliedError
from conveyor.core.interventions import cancel
from conveyor.extension import PAYMENTS
from conveyor.operations.audit import run_audit
from conveyor.operations.doctor import providers
from conveyor.operations.explain import explain, sentences
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.testing.crashing import Crash
from conveyor.testing.virtual import Machine

BANK = NAMED["payment_provider"].rpartition("=")[2]
KEPT = f"simulated, ={BANK}"
GONE = "simulated"


async def out(_send: Callable[[], Awaitable[PaymentAnswer]]) -> PaymentAnswer:
    raise NotAppliedError("it is out")


async def dies(send: Callable[[], Awaitable[PaymentAnswer]]) -> PaymentAnswer:
    await send()
    raise Crash


@pytest.fixture
def befalls(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], None]:
    """Says what befalls the calls of the bank from now on."""

    def befall(operation: str, trouble: Any) -> None:
        right = getattr(AcmeBank.__mro__[1], operation)

        async def call(bank: AcmeBank, request: PaymentRequest, key: str) -> PaymentAnswer:
            answer: PaymentAnswer = await trouble(lambda: right(bank, request, key))
            return answer

        monkeypatch.setattr(AcmeBank, operation, call, raising=False)

    return befall


async def through(send: Callable[[], Awaitable[PaymentAnswer]]) -> PaymentAnswer:
    return await send()


def begun(tmp_path: Path) -> tuple[Machine, str]:
    """Let an order of the merchant begin, and its process end."""
    machine = Machine(tmp_path, NAMED)
    ids: list[str] = []

    async def life(app: App) -> None:
        ids.append(await place(app, "acme"))
        await asyncio.sleep(MINUTE / 6)

    with suppress(Crash):
        machine.run(life)
    AcmeBank.books.abandon()
    return machine, ids[0]


def rename(machine: Machine, payment_provider: str) -> None:
    machine.settings = Settings(data=machine.directory, payment_provider=payment_provider)


async def moved(app: App, name: str) -> set[str]:
    """Give the orders for which one who is bound has moved money."""
    it: Any = app.ports.bound(PAYMENTS).by_name[name]
    return set(await it.moved_between(FIRST_ID, LAST_ID))


async def looked(app: App) -> str:
    """Give what `conveyor doctor` finds of those outside."""
    found = await app.engine.database.read(
        lambda tx: list(providers.outside(tx, app.installed, app.settings))
    )
    return "\n".join(f"{it.status} {it.subject}: {it.says} {it.todo}" for it in found)


@pytest.mark.parametrize(
    ("operation", "trouble"), [("capture", out), ("authorize", dies), ("capture", dies)]
)
def test_it_is_gone_on_with_where_it_began(
    tmp_path: Path, befalls: Callable[[str, Any], None], operation: str, trouble: Any
) -> None:
    befalls(operation, trouble)
    machine, order_id = begun(tmp_path)
    befalls(operation, through)
    rename(machine, KEPT)

    async def life(app: App) -> None:
        further = await place(app, "acme")
        await asyncio.sleep(5 * MINUTE)
        assert await statuses(app, [order_id, further]) == {"completed"}
        assert await moved(app, BANK) == {order_id}
        assert await moved(app, "simulated") == {further}
        await assert_clean(app)
        [books] = [it for it in (await run_audit(app)).findings if it.invariant == 4 and it.figures]
        assert books.figures["USD"]["provider"]["captured"] == 2 * 1_177

    machine.run(life)


def test_it_is_undone_where_it_began(tmp_path: Path, befalls: Callable[[str, Any], None]) -> None:
    befalls("capture", out)
    machine, order_id = begun(tmp_path)
    rename(machine, KEPT)

    async def life(app: App) -> None:
        now = app.engine.now()
        await app.engine.relay.commit(
            lambda tx: cancel(tx, app.engine.registry, order_id, now, "too long")
        )
        await asyncio.sleep(MINUTE)
        assert await statuses(app, [order_id]) == {"cancelled"}
        bank: Any = app.ports.bound(PAYMENTS).by_name[BANK]
        [account] = (await bank.moved_between(FIRST_ID, LAST_ID)).values()
        assert account.voided
        await assert_clean(app)

    machine.run(life)


@pytest.mark.parametrize(("operation", "trouble"), [("capture", out), ("authorize", dies)])
def test_without_the_one_that_it_called_it_waits_and_says_what_to_do(
    tmp_path: Path, befalls: Callable[[str, Any], None], operation: str, trouble: Any
) -> None:
    befalls(operation, trouble)
    machine, order_id = begun(tmp_path)
    befalls(operation, through)
    rename(machine, GONE)

    async def waits(app: App) -> None:
        await asyncio.sleep(12 * MINUTE)
        assert await statuses(app, [order_id]) == {"processing"}
        assert not await moved(app, "simulated")
        told = await explain(app, order_id, None)
        assert told is not None
        said = "\n".join(sentences(told))
        todo = f"add `={BANK}` to CONVEYOR_PAYMENT_PROVIDER"
        assert f"waits: payment provider {BANK} is not bound any more" in said
        assert (
            f"its provider (payment provider {BANK}), which it has called and which is no" in said
        )
        assert f"To let it go on, {todo}" in said
        assert "Nothing needs to be done" not in said
        found = await looked(app)
        assert f"failure payment provider {BANK}: 1 open orders have called it, and wait" in found
        assert todo in found
        await assert_clean(app)

    async def goes_on(app: App) -> None:
        assert "1 open orders have called it, and no further ones will" in await looked(app)
        await asyncio.sleep(5 * MINUTE)
        assert await statuses(app, [order_id]) == {"completed"}
        assert await moved(app, BANK) == {order_id}
        assert "0 open orders have called it, and no further ones will" in await looked(app)
        await assert_clean(app)

    machine.run(waits)
    rename(machine, KEPT)
    machine.run(goes_on)


def test_who_was_called_before_that_was_kept_is_who_is_bound_now(
    tmp_path: Path, befalls: Callable[[str, Any], None]
) -> None:
    befalls("capture", out)
    machine, order_id = begun(tmp_path)
    befalls("capture", through)

    def called(change: str = "") -> set[tuple[str, str]]:
        with closing(sqlite3.connect(tmp_path / "conveyor.db")) as connection:
            connection.execute(change or "SELECT 1")
            connection.commit()
            rows = connection.execute("SELECT step, provider FROM calls WHERE step LIKE 'pay%'")
            return set(rows.fetchall())

    forgotten = called("UPDATE calls SET provider = ''")
    assert forgotten == {("payments.authorize", ""), ("payments.capture", "")}

    async def life(app: App) -> None:
        await asyncio.sleep(5 * MINUTE)
        assert await statuses(app, [order_id]) == {"completed"}
        await assert_clean(app)

    machine.run(life)
    assert called() == {("payments.authorize", ""), ("payments.capture", BANK)}
