"""A meal that was brought and could not be paid for: it is money to collect, not a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.flows.meals import (
    MERCHANT,
    TOTAL,
    assert_clean,
    at_metres,
    dispatch,
    load_of,
    look,
    offers,
    open_town,
    operations,
    order_meal,
    settled,
    ticket_state,
    until,
)

from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.commerce.payments.ports import Declined, PaymentAnswer, PaymentRequest
from conveyor.core.answers import TAKEN
from conveyor.core.order_status import OrderStatus
from conveyor.operations import decisions
from conveyor.operations.explain import explain, sentences
from conveyor.operations.parked_orders import parked_order
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_settled
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import Machine

ASSIGN = "riders.assign"
EXPIRED = "the authorization has expired"


class Bank:
    """Declines to capture, until it is told otherwise."""

    def __init__(self) -> None:
        self.pays = False
        self.keys: list[str] = []


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Bank:
    bank, genuine = Bank(), SimulatedPaymentProvider.capture

    async def capture(
        provider: SimulatedPaymentProvider, request: PaymentRequest, key: str
    ) -> PaymentAnswer:
        bank.keys.append(key)
        return await genuine(provider, request, key) if bank.pays else Declined(EXPIRED)

    monkeypatch.setattr(SimulatedPaymentProvider, "capture", capture)
    return bank


@pytest.fixture
def world(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "world")


async def eat(app: App) -> str:
    await open_town(app, at_metres("r", 300))
    meal = await order_meal(app)
    order = await settled(app, meal)
    assert order.status == OrderStatus.PARKED, order
    assert await offers(app, meal) == [("r", "delivered")]
    await assert_clean(app)
    return meal


async def cause_of(app: App, meal: str) -> str:
    one = await app.engine.database.read(lambda tx: parked_order(tx, meal, MERCHANT))
    assert one is not None
    return one.parked.cause


async def choices(app: App, meal: str) -> list[str]:
    """Give what `explain` offers to do."""
    story = await explain(app, meal, MERCHANT)
    assert story is not None
    return [choice.what for choice in story.choices]


def check(world: Machine) -> None:
    check_tokens(world.directory)
    check_settled(world.directory)


def test_it_is_parked_and_paid_once_it_can_be(world: Machine, bank: Bank) -> None:
    async def life(app: App) -> str:
        meal = await eat(app)
        assert await cause_of(app, meal) == f"past riders.deliver: {EXPIRED}"
        await decisions.redrive(app.engine, meal, MERCHANT)
        assert (await settled(app, meal)).status == OrderStatus.PARKED
        bank.pays = True
        await decisions.redrive(app.engine, meal, MERCHANT)
        assert (await settled(app, meal)).status == OrderStatus.COMPLETED
        await assert_clean(app)
        return meal

    meal = world.run(life)
    assert len(set(bank.keys)) == 3  # each refusal is final for its key
    assert operations(world.directory, meal) == [("authorize", TOTAL), ("capture", TOTAL)]
    check(world)


def test_it_is_not_undone_as_if_nobody_had_eaten_it(world: Machine, bank: Bank) -> None:
    async def life(app: App) -> None:
        meal = await eat(app)
        version = (await look(app, meal)).version
        decided = await decisions.compensate(app.engine, meal, MERCHANT, "no money")
        assert decided is not None
        assert decided.what == "too_late"
        said = await decisions.cancel(app.engine, meal, MERCHANT, "not hungry any more")
        assert isinstance(said, decisions.NotCancelled)
        assert (await look(app, meal)).version == version
        story = await explain(app, meal, MERCHANT)
        assert story is not None
        told = " ".join(sentences(story))
        assert "discard" in told
        assert "writes off EUR 25.00" in told
        assert "compensate" not in told

    world.run(life)
    assert len(bank.keys) == 1


def test_it_is_written_off_with_a_reason(world: Machine, bank: Bank) -> None:
    async def life(app: App) -> str:
        meal = await eat(app)
        await decisions.discard(app.engine, meal, MERCHANT, "the customer has moved away")
        order = await settled(app, meal)
        assert (order.status, order.reason) == (
            OrderStatus.CANCELLED,
            "the customer has moved away",
        )
        assert await offers(app, meal) == [("r", "delivered")]
        assert await ticket_state(app, meal) == "collected"
        assert await load_of(app, "r") == 0
        story = await explain(app, meal, MERCHANT)
        assert story is not None
        told = " ".join(sentences(story))
        assert "given up: the customer has moved away (written off EUR 25.00)" in told
        await assert_clean(app)
        return meal

    meal = world.run(life)
    assert len(bank.keys) == 1
    assert operations(world.directory, meal) == [("authorize", TOTAL), ("void", TOTAL)]
    check(world)


def test_a_meal_that_was_brought_while_its_order_was_parked_is_not_undone(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("r", 300, simulated="silent"))
        meal = await order_meal(app)
        await until(app, meal, OrderStatus.AWAITING, step=ASSIGN)
        for says in (dispatch(app).accept, dispatch(app).picked_up):
            assert await says(MERCHANT, "r", meal) == TAKEN
        order = await settled(app, meal)
        assert (order.status, order.backwards) == (OrderStatus.PARKED, False)
        assert await choices(app, meal) == ["redrive", "compensate"]
        assert await dispatch(app).delivered(MERCHANT, "r", meal) == TAKEN
        assert await choices(app, meal) == ["redrive"]
        decided = await decisions.compensate(app.engine, meal, MERCHANT, "gone")
        assert decided is not None
        assert decided.what == "too_late"
        await decisions.redrive(app.engine, meal, MERCHANT)
        assert (await settled(app, meal)).status == OrderStatus.COMPLETED
        await assert_clean(app)

    world.run(life)
    check(world)


def test_a_provider_that_stays_down_after_the_delivery_is_no_reason_to_undo_it(
    world: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def capture(*_: Any) -> PaymentAnswer:
        raise ZeroDivisionError

    monkeypatch.setattr(SimulatedPaymentProvider, "capture", capture)

    async def life(app: App) -> None:
        meal = await eat(app)
        decided = await decisions.compensate(app.engine, meal, MERCHANT, "no money")
        assert decided is not None
        assert decided.what == "too_late"
        # What became of the last call is not known: it is asked about before anything is let go.
        given_up = await decisions.discard(app.engine, meal, MERCHANT, "no money")
        assert given_up is not None
        assert given_up.what == "still_owes"
        story = await explain(app, meal, MERCHANT)
        assert story is not None
        assert [choice.what for choice in story.choices] == ["redrive"]

    Machine(world.directory, {"max_receives": 2, "backoff_base_seconds": 1.0}).run(life)
