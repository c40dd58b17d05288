"""Calls to providers take effect once, and never after somebody decided against them."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.examples.stories import order_of, place, status_of, steps_done
from tests.flows.machines import machine_of
from tests.flows.provider_driver import Troubles, lost, never, refuse, slow, unheard
from tests.flows.renewals import find, make_plan, subscribe

from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.commerce.payments.ports import Declined
from conveyor.core.interventions import Decision
from conveyor.core.message import Token, encode
from conveyor.core.outcome import Park
from conveyor.core.queue import Outgoing
from conveyor.flows.renewal.subscriptions.changes import Changes
from conveyor.operations import decisions
from conveyor.operations.audit import run_audit
from conveyor.system.composition import App

ORDER = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": 1_177,
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}
QUARTER = 900.0
MERCHANT = "default"


def applied(directory: Path, operation: str) -> int:
    """Count what the provider did."""
    query = "SELECT count(*) FROM provider_operations WHERE operation = ? AND approved"
    return int(_one(directory / "provider.db", query, operation))


def parcels(directory: Path) -> int:
    """Count what the carrier took."""
    return int(_one(directory / "carrier.db", "SELECT count(*) FROM carrier_parcels"))


def _one(file: Path, query: str, *values: str) -> Any:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query, values).fetchone()[0]


async def assert_clean(app: App) -> None:
    report = await run_audit(app)
    assert not {f.name: f.examples for f in report.findings if f.violations}


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(4 * 3600):
        while not await holds():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(1)


async def parked(app: App, order_id: str) -> None:
    async def is_parked() -> bool:
        return await status_of(app, order_id) == "parked"

    await until(is_parked)


async def send_copy(app: App, order_id: str, step: str) -> None:
    """Let the queue deliver once more what it has delivered."""
    order = await order_of(app, order_id)
    token = encode(Token(order_id, step, order.version), app.parts.ambient.now_ms())
    await app.parts.queues.queue(step.partition(".")[0]).send([Outgoing(token)])


async def called(troubles: Troubles) -> None:
    while not troubles.keys:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("operation", ["authorize", "capture"])
def test_a_copy_that_failed_leaves_the_key_to_the_copy_that_still_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    troubles = Troubles(operation, refuse(1.0), slow(4.0))
    troubles.of_payments(monkeypatch)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await called(troubles)
        await send_copy(app, order_id, f"payments.{operation}")
        await asyncio.sleep(QUARTER)
        assert await status_of(app, order_id) == "completed"
        await assert_clean(app)

    machine_of("shop", tmp_path).run(life)
    assert len(set(troubles.keys)) == 1
    assert applied(tmp_path, operation) == 1


def test_a_period_is_charged_once_though_a_copy_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = Troubles("charge", refuse(1.0), slow(4.0))
    troubles.of_payments(monkeypatch)

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("s1", "card_ok")])
        await called(troubles)
        await send_copy(app, troubles.keys[0].split("/")[0], "payments.charge")
        await asyncio.sleep(QUARTER)
        await assert_clean(app)

    machine_of("renewal", tmp_path, {"renewal_scan_seconds": 1}).run(life)
    assert applied(tmp_path, "charge") == 1


def test_a_parcel_is_on_its_way_though_an_enquiry_about_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = Troubles("ship")
    troubles.of_carrier(monkeypatch)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await called(troubles)
        troubles.silent = True
        await parked(app, order_id)
        said = await decisions.cancel(app.engine, order_id, MERCHANT, "changed my mind")
        assert isinstance(said, decisions.NotCancelled)

    late = {"delivery_deadline_seconds": 30, "delivery_delay_seconds": 40_000}
    machine_of("shop", tmp_path, late).run(life)
    assert parcels(tmp_path) == 1
    assert applied(tmp_path, "refund") == 0


def test_another_card_has_another_key_though_the_first_was_certainly_not_charged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = Troubles("charge", *[refuse(1.0)] * 4)
    troubles.of_payments(monkeypatch)

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("s1", "card_slow")])
        await called(troubles)
        await Changes(app.engine).replace_card(MERCHANT, "s1", "card_ok")
        await asyncio.sleep(QUARTER)
        await assert_clean(app)

    machine_of("renewal", tmp_path, {"renewal_scan_seconds": 1}).run(life)
    asked = set(zip(troubles.keys, (request.method for request in troubles.requests), strict=True))
    assert {method for _, method in asked} == {"card_slow", "card_ok"}
    assert len({key for key, _ in asked}) == len(asked)
    assert applied(tmp_path, "charge") == 1


def test_what_may_still_be_dispatched_is_not_refunded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = Troubles("ship", refuse(1.0), slow(4.0))
    troubles.of_carrier(monkeypatch)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await called(troubles)
        await send_copy(app, order_id, "shipping.ship")
        await asyncio.sleep(1.3)
        said = await decisions.cancel(app.engine, order_id, MERCHANT, "changed my mind")
        assert isinstance(said, decisions.NotCancelled)
        await asyncio.sleep(QUARTER)
        assert await status_of(app, order_id) == "completed"
        await assert_clean(app)

    machine_of("shop", tmp_path).run(life)
    assert (parcels(tmp_path), applied(tmp_path, "refund")) == (1, 0)


def test_a_carrier_that_is_down_does_not_make_it_too_late_to_cancel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = Troubles("ship", *[refuse()] * 100)
    troubles.of_carrier(monkeypatch)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await called(troubles)
        await asyncio.sleep(5)
        said = await decisions.cancel(app.engine, order_id, MERCHANT, "changed my mind")
        assert isinstance(said, decisions.Cancelled)
        await asyncio.sleep(5)
        assert await status_of(app, order_id) == "cancelled"
        await assert_clean(app)

    machine_of("shop", tmp_path).run(life)
    assert (parcels(tmp_path), applied(tmp_path, "refund")) == (0, 1)


def test_a_restored_backup_comes_back_to_the_same_keys(tmp_path: Path) -> None:
    world = machine_of("shop", tmp_path)
    database, backup = tmp_path / "conveyor.db", tmp_path / "backup.db"
    orders: list[str] = []

    async def before(app: App) -> None:
        orders.append(await place(app, ORDER | {"payment": {"method": "card_flaky"}}))
        orders.append(await place(app, ORDER | {"payment": {"method": "card_saved_error"}}))
        with closing(sqlite3.connect(database)) as now, closing(sqlite3.connect(backup)) as then:
            now.backup(then)
        await asyncio.sleep(QUARTER)
        assert {await status_of(app, one) for one in orders} == {"completed"}

    async def after(app: App) -> None:
        await asyncio.sleep(2 * QUARTER)
        assert await steps_done(app, orders[0]) == await steps_done(app, orders[1])
        await assert_clean(app)

    world.run(before)
    for file in tmp_path.glob("conveyor.db*"):
        if file.suffix != ".lock":
            file.unlink()
    shutil.copy(backup, database)
    world.run(after)
    assert (applied(tmp_path, "authorize"), applied(tmp_path, "capture")) == (2, 2)


def test_a_key_whose_error_is_played_back_is_not_used_for_ever(tmp_path: Path) -> None:
    async def life(app: App) -> str:
        order_id = await place(app, ORDER | {"payment": {"method": "card_saved_error"}})
        await asyncio.sleep(QUARTER)
        assert await status_of(app, order_id) == "completed"
        await assert_clean(app)
        return order_id

    machine_of("shop", tmp_path).run(life)
    assert applied(tmp_path, "authorize") == applied(tmp_path, "capture") == 1


def test_who_is_compensated_is_not_charged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    troubles = Troubles("capture")
    troubles.of_payments(monkeypatch)
    troubles.silent = True

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await parked(app, order_id)
        troubles.silent = False
        before = len(troubles.keys)
        await decisions.compensate(app.engine, order_id, MERCHANT, "she wants out")
        await asyncio.sleep(QUARTER)
        assert await status_of(app, order_id) == "cancelled"
        assert len(troubles.keys) == before
        await assert_clean(app)

    machine_of("shop", tmp_path).run(life)
    assert applied(tmp_path, "capture") == 0


def test_who_is_compensated_is_refunded_what_was_charged_after_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = Troubles("capture", unheard())
    troubles.of_payments(monkeypatch)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await called(troubles)
        troubles.silent = True
        await parked(app, order_id)
        troubles.silent = False
        await decisions.compensate(app.engine, order_id, MERCHANT, "she wants out")
        await asyncio.sleep(QUARTER)
        assert await status_of(app, order_id) == "cancelled"
        await assert_clean(app)

    machine_of("shop", tmp_path).run(life)
    assert (applied(tmp_path, "capture"), applied(tmp_path, "refund")) == (1, 1)


@pytest.mark.parametrize("takes_seconds", [0, 3_600])
@pytest.mark.parametrize(("taken", "ends"), [(False, "cancelled"), (True, "completed")])
def test_who_is_compensated_gets_no_parcel_unless_it_is_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, taken: bool, ends: str, takes_seconds: int
) -> None:
    troubles = Troubles("ship", unheard() if taken else lost())
    troubles.of_carrier(monkeypatch)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await called(troubles)
        troubles.silent = True
        await parked(app, order_id)
        troubles.silent = False
        before = len(troubles.keys)
        said = await decisions.compensate(app.engine, order_id, MERCHANT, "she wants out")
        assert said is not None
        assert (said.what, said.unless) == (Decision.ACCEPTED, "shipping.ship")
        await asyncio.sleep(QUARTER + takes_seconds)
        order = await order_of(app, order_id)
        assert (order.status, order.cancelling) == (ends, False)
        assert len(troubles.keys) == before
        await assert_clean(app)

    machine_of("shop", tmp_path, {"delivery_delay_seconds": takes_seconds}).run(life)
    assert (parcels(tmp_path), applied(tmp_path, "refund")) == ((1, 0) if taken else (0, 1))


def test_a_cancelled_order_is_only_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = Troubles("capture", lost())
    troubles.of_payments(monkeypatch)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await called(troubles)
        await decisions.cancel(app.engine, order_id, MERCHANT, "changed my mind")
        await asyncio.sleep(QUARTER)
        assert await status_of(app, order_id) == "cancelled"
        await assert_clean(app)

    machine_of("shop", tmp_path).run(life)
    assert len(troubles.keys) == 1
    assert applied(tmp_path, "capture") == 0


def test_an_unknown_charge_is_repeated_as_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = Troubles("charge", lost())
    troubles.of_payments(monkeypatch)

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("s1", "card_ok")])
        await called(troubles)
        await Changes(app.engine).replace_card(MERCHANT, "s1", "card_declined")
        await asyncio.sleep(QUARTER)
        assert (await find(app, "s1")).status == "active"
        await assert_clean(app)

    machine_of("renewal", tmp_path, {"renewal_scan_seconds": 1}).run(life)
    assert [request.method for request in troubles.requests] == ["card_ok", "card_ok"]
    assert len(set(troubles.keys)) == 1


@pytest.mark.parametrize("by_provider", [False, True], ids=["by setting", "by provider"])
def test_a_call_that_hangs_has_a_deadline_and_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_provider: bool
) -> None:
    troubles = Troubles("capture", never())
    troubles.of_payments(monkeypatch)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await asyncio.sleep(9)
        assert await status_of(app, order_id) == "processing"
        await asyncio.sleep(20)
        assert await status_of(app, order_id) == "completed"

    if by_provider:
        monkeypatch.setattr(SimulatedPaymentProvider, "call_seconds", 10, raising=False)
    machine_of("shop", tmp_path, {} if by_provider else {"call_timeout_seconds": 10}).run(life)
    assert len(troubles.keys) == 1


@pytest.mark.parametrize("by_provider", [False, True], ids=["by setting", "by provider"])
def test_no_more_calls_are_under_way_than_a_provider_is_to_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_provider: bool
) -> None:
    troubles = Troubles("authorize", *[slow(20.0)] * 60)
    troubles.of_payments(monkeypatch)

    async def life(app: App) -> None:
        placed = [await place(app, ORDER) for _ in range(60)]
        await asyncio.sleep(QUARTER)
        assert Counter([await status_of(app, one) for one in placed]) == {"completed": 60}
        await assert_clean(app)
        assert not app.engine.tally["faulted", "payments"]

    if by_provider:
        monkeypatch.setattr(SimulatedPaymentProvider, "calls_at_once", 7, raising=False)
    machine_of("shop", tmp_path, {} if by_provider else {"calls_at_once": 7}).run(life)
    assert troubles.most == 7
    assert len(troubles.keys) == len(set(troubles.keys)) == 60


def test_a_refund_that_is_declined_again_and_again_is_parked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = Troubles("refund", *[lost()] * 1_000)
    troubles.of_payments(monkeypatch)
    lookup = SimulatedPaymentProvider.lookup

    async def declined(provider: SimulatedPaymentProvider, key: str) -> Any:
        return Declined("account closed") if "refund" in key else await lookup(provider, key)

    monkeypatch.setattr(SimulatedPaymentProvider, "lookup", declined)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER | {"shipping": {"country": "XX"}})
        await asyncio.sleep(3600)
        assert await status_of(app, order_id) == "parked"
        cause = _one(tmp_path / "conveyor.db", "SELECT cause FROM parked")
        assert "account closed" in cause

    machine_of("shop", tmp_path).run(life)
    # Eight tries: each key is called once, is lost, and is asked about.
    assert len(troubles.keys) == len(set(troubles.keys)) == 4


def test_a_decline_is_not_believed_while_another_may_still_be_charging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that does not keep its declines under the key answers a copy anew."""
    copies: list[str] = []
    through = SimulatedPaymentProvider._send

    async def forgetful(provider: Any, instruction: Any) -> Any:
        if instruction.operation.value != "charge":
            return await through(provider, instruction)
        copies.append(instruction.key)
        if len(copies) == 1:
            await asyncio.sleep(2.0)
            return Declined("insufficient funds")
        await asyncio.sleep(6.0)
        return await through(provider, instruction)

    monkeypatch.setattr(SimulatedPaymentProvider, "_send", forgetful)

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("s1", "card_ok")])
        while not copies:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.05)
        await send_copy(app, copies[0].split("/")[0], "payments.charge")
        await asyncio.sleep(QUARTER)
        assert (await find(app, "s1")).status == "active"
        await assert_clean(app)

    machine_of("renewal", tmp_path, {"renewal_scan_seconds": 1}).run(life)
    assert applied(tmp_path, "charge") == 1


@pytest.mark.parametrize(("trouble", "ends"), [(unheard, "completed"), (lost, "parked")])
def test_a_step_that_decides_otherwise_first_hears_of_its_open_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trouble: Callable[[], Any], ends: str
) -> None:
    troubles = Troubles("capture", trouble())
    troubles.of_payments(monkeypatch)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await called(troubles)
        step: Any = app.engine.registry.steps["payments.capture"]
        step._due = lambda _tx, _order: Park("it shall not be captured")
        await asyncio.sleep(QUARTER)
        assert await status_of(app, order_id) == ends
        await assert_clean(app)

    machine_of("shop", tmp_path).run(life)
    assert len(troubles.keys) == 1
    assert applied(tmp_path, "capture") == (1 if ends == "completed" else 0)
