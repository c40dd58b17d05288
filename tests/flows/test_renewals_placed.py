"""A renewal that somebody places, and no scan: charged only where it is the one to be paid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.flows.meals import settled
from tests.flows.renewals import MERCHANT, PLAN, charges, find, make_plan, subscribe

from conveyor.commerce.orders.placement import Placed
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.flows.renewal.subscriptions.changes import Changes
from conveyor.operations import decisions
from conveyor.operations.faults import faults_of
from conveyor.operations.refunds import refund
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

BODY = {
    "flow": "renewal",
    "customer": {"id": "c-s"},
    "currency": PLAN.currency,
    "items": [{"sku": PLAN.id, "quantity": 1, "unit_price": PLAN.price}],
    "payment": {"method": "card_ok"},
    "subscription": "s",
    "period": 0,
}


def priced(price: int) -> dict[str, Any]:
    return {"items": [{"sku": PLAN.id, "quantity": 1, "unit_price": price}]}


@pytest.fixture
def world(tmp_path: Path) -> Machine:
    return Machine(tmp_path, {"renewal_scan_seconds": 0})


async def renew(app: App, **changes: Any) -> Order:
    body = app.installed.bodies.read(BODY | changes)
    placed = await app.placement.place(MERCHANT, "", body)
    assert isinstance(placed, Placed)
    return await settled(app, placed.order_id)


async def begin(app: App) -> None:
    await make_plan(app)
    await subscribe(app, [("s", "card_ok")])


def test_the_one_to_be_paid_is_charged_and_no_second(world: Machine) -> None:
    async def life(app: App) -> None:
        await begin(app)
        assert (await renew(app)).status == OrderStatus.COMPLETED
        assert (await find(app, "s")).period == 1
        again = await renew(app)
        assert (again.status, again.reason) == (OrderStatus.REFUSED, "the next period is 1, not 0")
        assert (await find(app, "s")).period == 1

    world.run(life)
    assert [what for _, what in charges(world.directory)["s"]] == ["charge"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (priced(1), "plan monthly costs 999 USD"),
        (priced(1_000), "plan monthly costs 999 USD"),
        ({"currency": "EUR"}, "plan monthly costs 999 USD"),
        ({"period": 1}, "the next period is 0, not 1"),
        ({"subscription": "t"}, "no such subscription: t"),
    ],
)
def test_another_is_refused_and_nothing_is_charged(
    world: Machine, changes: dict[str, Any], reason: str
) -> None:
    async def life(app: App) -> None:
        await begin(app)
        before = await find(app, "s")
        order = await renew(app, **changes)
        assert (order.status, order.reason) == (OrderStatus.REFUSED, reason)
        assert await find(app, "s") == before

    world.run(life)
    assert charges(world.directory) == {}


def test_the_next_is_charged_while_the_one_before_waits_to_be_refunded(tmp_path: Path) -> None:
    world = Machine(tmp_path, {"renewal_scan_seconds": 0, "max_receives": 1})

    async def life(app: App) -> None:
        await begin(app)
        before = await renew(app)
        (fault,) = (it for it in faults_of(app) if it.name == "payments-failing")
        fault.switch(on=True)
        await refund(app.engine, before.id, MERCHANT, "it was down for a week")
        stuck = await settled(app, before.id)
        assert (stuck.status, stuck.ending) == (OrderStatus.PARKED, OrderStatus.REFUNDED)
        fault.switch(on=False)
        assert (await renew(app, period=1)).status == OrderStatus.COMPLETED
        await decisions.redrive(app.engine, before.id, MERCHANT)
        assert (await settled(app, before.id)).status == OrderStatus.REFUNDED
        assert (await find(app, "s")).period == 2

    world.run(life)
    assert [what for _, what in charges(world.directory)["s"]] == ["charge", "charge", "refund"]


def test_one_that_ends_with_its_period_is_not_renewed(world: Machine) -> None:
    async def life(app: App) -> None:
        await begin(app)
        await Changes(app.engine).cancel(MERCHANT, "s")
        order = await renew(app)
        assert (order.status, order.reason) == (
            OrderStatus.REFUSED,
            "the subscription is active, and is not renewed",
        )

    world.run(life)
    assert charges(world.directory) == {}
