"""Subscriptions are decided on as they are under their lock: two connections, interleaved."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import orjson
import pytest
from tests.races.contexts import context_of
from tests.races.two_connections import beside
from tests.unit.goods_driver import MERCHANT, NOW_MS, Books

from conveyor.commerce.payments.ports import Declined
from conveyor.commerce.payments.steps import payment_steps
from conveyor.core.applying_outcomes import apply_outcome
from conveyor.core.delivery import Delivery
from conveyor.core.group_context import GroupContext
from conveyor.core.order import Order, load
from conveyor.core.order_status import OrderStatus
from conveyor.core.outcome import Awaiting, Done, Outcome
from conveyor.core.placing import NewOrder, place
from conveyor.core.providers import Providers
from conveyor.core.queue import QueueSpec
from conveyor.core.registry import Registry
from conveyor.core.retries import RetryPolicy
from conveyor.core.step import LocalStep, Now
from conveyor.core.transaction import Tx
from conveyor.flows import RENEWAL
from conveyor.flows.renewal.subscriptions import renewals, store
from conveyor.flows.renewal.subscriptions.beginning import NewSubscription, begin
from conveyor.flows.renewal.subscriptions.changes import Changes, Impossible
from conveyor.flows.renewal.subscriptions.dunning import Dunning, claim_placed
from conveyor.flows.renewal.subscriptions.model import (
    DAY_MS,
    Plan,
    RenewalState,
    Subscription,
    SubscriptionStatus,
)
from conveyor.flows.renewal.subscriptions.steps import STEPS, retract

NAME, ORDER, NEXT_ORDER = "s1", f"{1:026d}", f"{2:026d}"
PLAN = Plan(MERCHANT, "monthly", 1_000, "USD", 1)
OTHER = Plan(MERCHANT, "dearer", 2_000, "USD", 1)
NOW = Now(NOW_MS)
DUNNING = Dunning()
REGISTRY = Registry(
    [RENEWAL],
    {
        **payment_steps(Mock(), {RENEWAL.name: DUNNING}),
        **STEPS,
        "orders.complete": LocalStep(lambda _tx, _order, _now: Done()),
    },
    [QueueSpec("payments"), QueueSpec("subscriptions"), QueueSpec("orders")],
)


class Office:
    """As much of an engine as a change needs, in a transaction that has begun."""

    registry = REGISTRY
    ambient = Mock(now_ms=lambda: NOW_MS)

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.database = self.relay = self

    def now(self) -> Now:
        return NOW

    def group_context(self, *, isolate: bool) -> GroupContext:
        asyncio.get_running_loop()  # as the engine's own does: where calls are timed
        rng = random.Random(1)
        return GroupContext(
            REGISTRY, RetryPolicy(), rng, NOW, isolate=isolate, providers=Providers(rng)
        )

    async def run(self, work: Callable[[Tx], Any]) -> Any:
        return await asyncio.to_thread(work, self._tx)  # as PostgreSQL's: where no loop runs

    commit = run


@pytest.fixture
def books(postgres_books: Books) -> Books:
    """One subscription, whose first period is to be paid."""
    postgres_books.clear()

    def fill(tx: Tx) -> None:
        for plan in (PLAN, OTHER):
            store.set_plan(tx, plan)
        one = begin(MERCHANT, NewSubscription(NAME, "c", PLAN.id, "card_declined"), PLAN, NOW_MS)
        assert isinstance(one, Subscription)
        store.add(tx, [one])

    postgres_books.run(fill)
    return postgres_books


def change(tx: Tx, do: Callable[[Changes], Any]) -> Any:
    engine: Any = Office(tx)
    return asyncio.run(do(Changes(engine)))


def claim(tx: Tx, order_id: str, plan: Plan, period: int) -> None:
    body = orjson.dumps({"subscription": NAME, "period": period}).decode()
    new = NewOrder(order_id, MERCHANT, RENEWAL, "", "c", "USD", plan.price, body)
    place(tx, REGISTRY, new, NOW)
    tx.flush()
    claim_placed(tx, load(tx, [order_id])[order_id])
    tx.flush()


def decline(tx: Tx) -> None:
    """Begin the renewal, and let its card be declined: it awaits another one."""
    claim(tx, ORDER, PLAN, 0)
    order = load(tx, [ORDER])[ORDER]
    outcome = DUNNING.declined(tx, order, Declined("insufficient funds"), NOW)
    delivery = Delivery(tx, context_of(REGISTRY, NOW), order, "payments.charge")
    apply_outcome(delivery, outcome)
    tx.flush()


def subscription(books: Books) -> Subscription:
    return books.run(lambda tx: store.find(tx, MERCHANT, [NAME]))[NAME]


def test_who_cancels_while_the_renewal_is_declined_ends_at_once(books: Books) -> None:
    beside(books, decline, lambda tx: change(tx, lambda changes: changes.cancel(MERCHANT, NAME)))
    assert subscription(books).status == SubscriptionStatus.CANCELLED
    assert books.run(lambda tx: load(tx, [ORDER]))[ORDER].backwards


def test_a_card_that_comes_while_another_is_declined_is_tried_at_once(books: Books) -> None:
    def replace_card(tx: Tx) -> Any:
        return change(tx, lambda changes: changes.replace_card(MERCHANT, NAME, "card_ok"))

    beside(books, decline, replace_card)
    found = subscription(books)
    assert (found.status, found.card, found.new_card) == (
        SubscriptionStatus.PAST_DUE,
        "card_ok",
        False,
    )
    assert books.run(lambda tx: load(tx, [ORDER]))[ORDER].status != OrderStatus.AWAITING


def test_a_period_is_taken_back_while_the_next_goes_over_to_another_plan(books: Books) -> None:
    def extend(tx: Tx) -> None:
        order = load(tx, [ORDER])[ORDER]
        found = renewals.of_order(tx, order.id)
        assert found is not None
        longer = found.subscription.extended(PLAN, found.renewal.ends_at)
        renewals.change(tx, found, longer, RenewalState.EXTENDED)

    books.run(lambda tx: claim(tx, ORDER, PLAN, 0))
    books.run(extend)
    books.run(lambda tx: change(tx, lambda one: one.change_plan(MERCHANT, NAME, OTHER.id)))
    done = beside(
        books,
        lambda tx: claim(tx, NEXT_ORDER, OTHER, 1),
        lambda tx: retract(tx, load(tx, [ORDER])[ORDER], NOW),
    )
    assert isinstance(done, Done)
    assert done.detail == {"subscription": NAME, "period": 0}


def test_of_two_who_make_one_plan_the_second_keeps_to_what_the_first_said(books: Books) -> None:
    monthly = Plan(MERCHANT, "new", 1_000, "USD", 1)
    yearly = Plan(MERCHANT, "new", 9_000, "USD", 12)
    said = beside(
        books,
        lambda tx: change(tx, lambda changes: changes.set_plan(monthly)),
        lambda tx: change(tx, lambda changes: changes.set_plan(yearly)),
    )
    assert isinstance(said, Impossible)
    assert books.run(lambda tx: store.plans_of(tx, MERCHANT))["new"] == monthly


@pytest.mark.parametrize("ahead_days", [1, 365])
def test_dunning_that_a_wrong_clock_began_lasts_no_longer(books: Books, ahead_days: int) -> None:
    def work(tx: Tx) -> int:
        claim(tx, ORDER, PLAN, 0)
        order = load(tx, [ORDER])[ORDER]
        assert isinstance(_decline(tx, order, NOW_MS + ahead_days * DAY_MS), Awaiting)
        waited = 0
        while isinstance(outcome := _decline(tx, order, NOW_MS + waited), Awaiting):
            waited += round(outcome.seconds * 1000)
        return waited

    assert books.run(work) == PLAN.retry_days[-1] * DAY_MS
    assert subscription(books).status == SubscriptionStatus.CANCELLED


def _decline(tx: Tx, order: Order, now_ms: int) -> Outcome:
    outcome = DUNNING.declined(tx, order, Declined("insufficient funds"), Now(now_ms))
    tx.flush()
    return outcome
