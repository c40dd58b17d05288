"""A renewal that was paid, extended its subscription, and is undone by an operator after all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa
from tests.flows.meals import until
from tests.flows.renewals import MERCHANT, PLAN, charges, find, live_on, make_plan, subscribe

from conveyor.commerce.orders.steps import STEPS
from conveyor.core.interventions import Decision
from conveyor.core.order_status import OrderStatus
from conveyor.core.step import LocalStep
from conveyor.core.tables import orders
from conveyor.flows.renewal.subscriptions import model
from conveyor.operations import decisions
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine


def broken(*_: object) -> NoReturn:
    raise LookupError("the ledger is closed")


async def parked_renewal(app: App) -> str:
    query = sa.select(orders.c.id)
    while not (  # noqa: ASYNC110 - virtual time
        found := await app.parts.database.read(lambda tx: tx.execute(query).scalar())
    ):
        await asyncio.sleep(1)
    await until(app, found, OrderStatus.PARKED)
    return str(found)


def test_who_gets_the_money_back_has_no_access_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STEPS, "orders.complete", LocalStep(broken))
    world = Machine(tmp_path)

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("s", "card_ok")])
        begun = await find(app, "s")
        order_id = await parked_renewal(app)
        paid, now_ms = await find(app, "s"), app.engine.now().ms
        assert paid.paid_until > now_ms
        assert paid.has_access(PLAN, now_ms)
        decided = await decisions.compensate(app.engine, order_id, MERCHANT, "a wrong price")
        assert decided is not None
        assert decided.what == Decision.ACCEPTED
        await until(app, order_id, OrderStatus.CANCELLED)
        undone = await find(app, "s")
        assert undone.status == model.SubscriptionStatus.CANCELLED
        assert undone.paid_until == begun.paid_until
        assert not undone.has_access(PLAN, app.engine.now().ms)

    live_on(world, 0, life)
    assert [what for _, what in charges(tmp_path)["s"]] == ["charge", "refund"]
