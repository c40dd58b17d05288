"""Renewals over months of virtual time, with a system that is off most of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.flows.machines import machine_of
from tests.flows.renewals import (
    MERCHANT,
    PLAN,
    charges,
    find,
    live_on,
    make_plan,
    states,
    subscribe,
    until_quiet,
)

from conveyor.commerce.orders.order_filter import OrderFilter
from conveyor.commerce.orders.search import search
from conveyor.core.message import Token, encode
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.queue import Outgoing
from conveyor.core.transaction import Tx
from conveyor.flows.renewal.subscriptions.changes import Changes, Impossible
from conveyor.flows.renewal.subscriptions.model import Subscription, SubscriptionStatus
from conveyor.operations.explain import explain, sentences
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

CARDS = {
    "good": "card_ok",
    "flaky": "card_flaky",
    "unanswered": "card_unanswered",
    "payday": "card_payday",
    "poor": "card_insufficient_funds",
    "stolen": "card_stolen",
    "replaced": "card_declined",
}
CARD_DAY = 2
"""The day on which a card is replaced: none on which it would be tried anyway."""


@pytest.fixture
def world(tmp_path: Path) -> Machine:
    return machine_of("renewal", tmp_path / "world")


def orders_of(tx: Tx) -> list[Order]:
    return search(tx, OrderFilter(flow="renewal"), sees=None, limit=1000)


def day_of(at_ms: int | None) -> str:
    assert at_ms is not None
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def test_a_month_of_dunning_with_the_system_off_in_between(world: Machine) -> None:
    async def first(app: App) -> None:
        await make_plan(app)
        await subscribe(app, CARDS.items())

    async def replace_card(app: App) -> None:
        changed = await Changes(app.engine).replace_card(MERCHANT, "replaced", "card_ok")
        assert isinstance(changed, Subscription)

    live_on(world, 0, first)
    assert states(world.directory)["payday"] == (SubscriptionStatus.PAST_DUE, 0)
    assert states(world.directory)["stolen"] == (SubscriptionStatus.CANCELLED, 0)
    for day in range(1, 30):
        live_on(world, day + 0.1, replace_card if day == CARD_DAY else None)

    assert states(world.directory) == {
        "good": (SubscriptionStatus.ACTIVE, 1),
        "flaky": (SubscriptionStatus.ACTIVE, 1),
        "unanswered": (SubscriptionStatus.ACTIVE, 1),
        "payday": (SubscriptionStatus.ACTIVE, 1),
        "poor": (SubscriptionStatus.CANCELLED, 0),
        "stolen": (SubscriptionStatus.CANCELLED, 0),
        "replaced": (SubscriptionStatus.ACTIVE, 1),
    }
    found = charges(world.directory)
    assert found["good"] == found["unanswered"] == [(0, "charge")]
    assert found["payday"] == [
        (0, "insufficient funds"),
        (1, "insufficient funds"),
        (3, "charge"),
    ]
    assert found["poor"] == [(day, "insufficient funds") for day in (0, 1, 3, 5, 7)]
    assert found["stolen"] == [(0, "card reported stolen")]
    assert found["replaced"] == [(0, "card declined"), (1, "card declined"), (CARD_DAY, "charge")]


def test_the_31st_comes_back_after_a_shorter_month(world: Machine) -> None:
    async def first(app: App) -> None:
        await make_plan(app, trial_days=14)
        await subscribe(app, [("s", "card_ok")], starts="2026-01-17", zone="America/New_York")

    async def look(app: App) -> tuple[str, str]:
        await until_quiet(app)
        found = await find(app, "s")
        return found.status, day_of(found.due_at)

    assert live_on(world, 0, first) is None
    assert live_on(world, 29, look) == (SubscriptionStatus.TRIALING, "2026-01-31")
    assert live_on(world, 30.3, look) == (SubscriptionStatus.ACTIVE, "2026-02-28")
    assert live_on(world, 58.3, look) == (SubscriptionStatus.ACTIVE, "2026-03-31")
    assert live_on(world, 89.3, look) == (SubscriptionStatus.ACTIVE, "2026-04-30")
    assert len(charges(world.directory)["s"]) == 3


def test_a_price_and_a_plan_change_with_the_next_period(world: Machine) -> None:
    async def first(app: App) -> None:
        await make_plan(app)
        await make_plan(app, id="yearly", price=9_990, months=12)
        await subscribe(app, [("dearer", "card_ok"), ("yearly", "card_ok")])

    async def change(app: App) -> None:
        await make_plan(app, price=1_099)
        assert isinstance(
            await Changes(app.engine).change_plan(MERCHANT, "yearly", "yearly"), Subscription
        )

    async def totals(app: App) -> list[int]:
        await until_quiet(app)
        found = await app.parts.database.read(orders_of)
        return sorted(order.total for order in found)

    live_on(world, 0, first)
    live_on(world, 10, change)
    assert live_on(world, 31.1, totals) == [999, 999, 1_099, 9_990]
    assert live_on(world, 59.1, totals) == [999, 999, 1_099, 1_099, 9_990]
    assert live_on(world, 396.1, totals)[-2:] == [9_990, 9_990]


def test_one_that_is_cancelled_ends_with_its_period_and_is_charged_no_more(world: Machine) -> None:
    async def first(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("s", "card_ok")])

    async def cancel(app: App) -> bool:
        changed = await Changes(app.engine).cancel(MERCHANT, "s")
        assert isinstance(changed, Subscription)
        return changed.has_access(PLAN, app.parts.ambient.now_ms())

    live_on(world, 0, first)
    assert live_on(world, 10, cancel)
    assert states(world.directory)["s"] == (SubscriptionStatus.ACTIVE, 1)
    live_on(world, 31.1)
    assert states(world.directory)["s"] == (SubscriptionStatus.CANCELLED, 1)
    live_on(world, 70)
    assert charges(world.directory)["s"] == [(0, "charge")]


def test_one_that_is_cancelled_while_past_due_ends_at_once(world: Machine) -> None:
    async def first(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("s", "card_declined")])

    async def cancel(app: App) -> None:
        changed = await Changes(app.engine).cancel(MERCHANT, "s")
        assert isinstance(changed, Subscription)
        assert changed.status == SubscriptionStatus.CANCELLED
        refused = await Changes(app.engine).replace_card(MERCHANT, "s", "card_ok")
        assert isinstance(refused, Impossible)

    live_on(world, 0, first)
    live_on(world, 2, cancel)
    live_on(world, 20)
    assert [day for day, _ in charges(world.directory)["s"]] == [0]


def test_one_cancelled_while_its_retry_is_under_way_ends_when_the_answer_is_known(
    tmp_path: Path,
) -> None:
    world = machine_of("renewal", tmp_path / "slow", {"payment_latency_seconds": 5.0})

    async def first(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("no", "card_declined"), ("yes", "card_payday")])

    async def cancel(app: App) -> None:
        def all_await(tx: Tx) -> bool:
            return {order.status for order in orders_of(tx)} == {OrderStatus.AWAITING}

        async with asyncio.timeout(600):
            while await app.parts.database.read(all_await):  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(1)
        await asyncio.sleep(2)  # the retries of the third day are under way
        for name in ("no", "yes"):
            await Changes(app.engine).cancel(MERCHANT, name)

    live_on(world, 0, first)
    live_on(world, 1.1)
    live_on(world, 3, cancel)
    assert states(world.directory) == {
        "no": (SubscriptionStatus.CANCELLED, 0),
        "yes": (SubscriptionStatus.CANCELLED, 0),
    }
    found = charges(world.directory)
    assert [what for _, what in found["yes"]][-2:] == ["charge", "refund"]
    assert [day for day, _ in found["no"]] == [0, 1, 3]


def test_suspended_by_policy_and_resumed_with_another_card(world: Machine) -> None:
    async def first(app: App) -> None:
        await make_plan(app, afterwards="suspend", retry_days=(1,))
        await subscribe(app, [("s", "card_declined"), ("t", "card_stolen")])

    async def bad_card(app: App) -> None:
        await Changes(app.engine).replace_card(MERCHANT, "s", "card_insufficient_funds")

    async def good_card(app: App) -> None:
        changed = await Changes(app.engine).replace_card(MERCHANT, "s", "card_ok")
        assert isinstance(changed, Subscription)
        assert not changed.has_access(PLAN, app.parts.ambient.now_ms())

    live_on(world, 0, first)
    assert states(world.directory) == {
        "s": (SubscriptionStatus.PAST_DUE, 0),
        "t": (SubscriptionStatus.SUSPENDED, 0),
    }
    live_on(world, 1.1)
    assert states(world.directory)["s"] == (SubscriptionStatus.SUSPENDED, 0)
    live_on(world, 5, bad_card)
    assert states(world.directory)["s"] == (SubscriptionStatus.SUSPENDED, 1)  # no second dunning
    live_on(world, 9, good_card)
    assert states(world.directory)["s"] == (SubscriptionStatus.ACTIVE, 3)
    days = [day for day, _ in charges(world.directory)["s"]]
    assert days == [0, 1, 5, 9]


def test_a_timer_that_fires_late_does_nothing(world: Machine) -> None:
    async def first(app: App) -> Token:
        await make_plan(app)
        await subscribe(app, [("s", "card_declined")])
        await until_quiet(app)
        (order,) = await app.parts.database.read(orders_of)
        assert order.status == OrderStatus.AWAITING
        return Token(order.id, "payments.charge", order.version)

    timer = live_on(world, 0, first)

    async def fire(app: App) -> int:
        await Changes(app.engine).replace_card(MERCHANT, "s", "card_ok")
        await until_quiet(app)
        before = app.engine.tally["stale", "payments"]
        body = encode(timer, app.parts.ambient.now_ms())
        await app.parts.queues.queue("payments").send([Outgoing(body)])
        await until_quiet(app)
        return app.engine.tally["stale", "payments"] - before

    assert live_on(world, 0.5, fire) == 1
    live_on(world, 10)
    assert states(world.directory)["s"] == (SubscriptionStatus.ACTIVE, 1)
    assert [what for _, what in charges(world.directory)["s"]] == ["card declined", "charge"]


def test_a_card_that_is_replaced_while_the_old_one_is_charged_is_tried_at_once(
    tmp_path: Path,
) -> None:
    world = machine_of("renewal", tmp_path / "slow", {"payment_latency_seconds": 5.0})

    async def first(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("s", "card_stolen")])
        await asyncio.sleep(62)  # its scan has come by, and its charge is under way
        changed = await Changes(app.engine).replace_card(MERCHANT, "s", "card_ok")
        assert isinstance(changed, Subscription)
        assert changed.new_card

    live_on(world, 0, first)
    assert states(world.directory)["s"] == (SubscriptionStatus.ACTIVE, 1)
    assert [what for _, what in charges(world.directory)["s"]] == ["card reported stolen", "charge"]


def test_its_story_reads_well(world: Machine) -> None:
    async def first(app: App) -> str:
        await make_plan(app)
        await subscribe(app, [("s", "card_insufficient_funds")])
        await until_quiet(app)
        (order,) = await app.parts.database.read(orders_of)
        story = await explain(app, order.id, MERCHANT)
        assert story is not None
        return "\n".join(sentences(story))

    told = live_on(world, 0, first)
    assert "payments.charge awaits another card, 1 d at most" in told
    assert "insufficient funds" in told
    assert "You can cancel it" in told
