"""The food flow on virtual time: every answer, every time-out, and cancelling at each moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flows.meals import (
    FEE,
    MERCHANT,
    TOTAL,
    assert_clean,
    at_metres,
    call_off,
    counter,
    dispatch,
    load_of,
    look,
    offers,
    open_town,
    operations,
    order_meal,
    settled,
    standing,
    ticket_state,
    until,
)

from conveyor.core.answers import NOT_AWAITED, TAKEN, UNKNOWN_ORDER
from conveyor.core.message import Token, encode
from conveyor.core.order_status import OrderStatus
from conveyor.core.queue import Outgoing
from conveyor.flows.food.restaurants import store as restaurants
from conveyor.flows.food.restaurants.steps import KITCHEN_FULL
from conveyor.flows.food.riders import store as riders
from conveyor.flows.food.riders.model import Point
from conveyor.flows.food.riders.steps import NOT_NOW, NOT_OFFERED
from conveyor.operations import decisions
from conveyor.operations.decisions import Cancelled, NotCancelled
from conveyor.operations.explain import explain, sentences
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_settled
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import Machine

CONFIRM, ASSIGN, DELIVER = "restaurants.confirm", "riders.assign", "riders.deliver"
LUIGI = "luigi"


@pytest.fixture
def world(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "world")


def check(world: Machine) -> None:
    check_tokens(world.directory)
    check_settled(world.directory)


def test_a_meal_is_prepared_brought_and_paid(world: Machine) -> None:
    async def life(app: App) -> str:
        await open_town(app, at_metres("r", 300))
        meal = await order_meal(app)
        order = await settled(app, meal)
        assert order.status == OrderStatus.COMPLETED
        assert await offers(app, meal) == [("r", "delivered")]
        assert await ticket_state(app, meal) == "collected"
        assert await load_of(app, "r") == 0
        rider = await app.engine.database.read(lambda tx: riders.find(tx, MERCHANT, "r"))
        assert rider is not None
        assert rider.place == Point(52.01, 13)
        await assert_clean(app)
        return meal

    meal = world.run(life)
    assert operations(world.directory, meal) == [("authorize", TOTAL), ("capture", TOTAL)]
    check(world)


@pytest.mark.parametrize(
    ("kitchen", "reason"),
    [
        ({"simulated": "refusing"}, "the restaurant rejected it: sold out"),
        ({"simulated": "silent"}, "the restaurant did not answer in time"),
        ({"paused": True}, "luigi is closed"),
        ({"hours": {"fri": ["11:00-22:00"]}}, "luigi is closed"),  # it is a Thursday
        ({"max_preparing": 0}, "luigi has too much to prepare"),
    ],
    ids=["rejecting", "silent", "paused", "closed", "full"],
)
def test_without_the_restaurant_it_is_refused_and_the_money_let_go(
    world: Machine, kitchen: dict[str, object], reason: str
) -> None:
    async def life(app: App) -> str:
        await open_town(app, at_metres("r", 300), **kitchen)
        meal = await order_meal(app)
        order = await settled(app, meal)
        assert (order.status, order.reason) == (OrderStatus.REFUSED, reason)
        assert await offers(app, meal) == []
        assert await ticket_state(app, meal) in {"rejected", "lapsed", ""}
        await assert_clean(app)
        return meal

    meal = world.run(life)
    assert operations(world.directory, meal) == [("authorize", TOTAL), ("void", TOTAL)]
    check(world)


def test_the_silence_of_a_restaurant_lasts_as_long_as_the_setting(world: Machine) -> None:
    async def life(app: App) -> int:
        await open_town(app, simulated="silent")
        order = await settled(app, await order_meal(app))
        assert order.settled_at is not None
        return order.settled_at - order.placed_at

    assert 300_000 <= world.run(life) < 310_000


def test_an_unknown_restaurant_is_refused(world: Machine) -> None:
    async def life(app: App) -> None:
        order = await settled(app, await order_meal(app, restaurant="nowhere"))
        assert (order.status, order.reason) == (OrderStatus.REFUSED, "unknown restaurant: nowhere")

    world.run(life)
    check(world)


def test_an_offer_goes_from_the_nearest_to_the_next_and_never_back(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(
            app,
            at_metres("declines", 100, simulated="refusing"),
            at_metres("sleeps", 200, simulated="silent"),
            at_metres("slow", 1_500, simulated="slow"),
            at_metres("farther", 1_600),
            at_metres("off_shift", 50, shift_until=0),
            at_metres("too_far", 9_000),
        )
        meal = await order_meal(app)
        order = await settled(app, meal)
        assert order.status == OrderStatus.COMPLETED
        assert await offers(app, meal) == [
            ("declines", "declined"),
            ("sleeps", "lapsed"),
            ("slow", "delivered"),
        ]
        assert order.settled_at is not None
        assert 45_000 + 36_000 < order.settled_at - order.placed_at < 95_000
        await assert_clean(app)

    world.run(life)
    check(world)


def test_nobody_left_is_a_refusal_and_the_restaurant_is_told(world: Machine) -> None:
    async def life(app: App) -> str:
        await open_town(
            app,
            at_metres("a", 100, simulated="silent"),
            at_metres("b", 7_000, simulated="refusing"),
            at_metres("c", 8_100),
        )
        meal = await order_meal(app)
        order = await settled(app, meal)
        assert (order.status, order.reason) == (OrderStatus.REFUSED, "no rider is left to ask")
        assert await offers(app, meal) == [("a", "lapsed"), ("b", "declined")]
        ticket = await app.engine.database.read(lambda tx: restaurants.ticket_of(tx, meal))
        assert ticket is not None
        assert (ticket.state, ticket.reason) == ("withdrawn", "no rider is left to ask")
        await assert_clean(app)
        return meal

    meal = world.run(life)
    assert operations(world.directory, meal) == [("authorize", TOTAL), ("void", TOTAL)]
    check(world)


def test_a_rider_who_goes_silent_before_the_pick_up_is_replaced(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("gone", 100, simulated="vanishing"), at_metres("r", 500))
        meal = await order_meal(app)
        order = await settled(app, meal)
        assert order.status == OrderStatus.COMPLETED
        assert await offers(app, meal) == [("gone", "lost"), ("r", "delivered")]
        assert await load_of(app, "gone") == 0
        await assert_clean(app)

    world.run(life)
    check(world)


def test_with_nobody_to_replace_a_silent_rider_it_is_refused(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("gone", 100, simulated="vanishing"))
        meal = await order_meal(app)
        assert (await settled(app, meal)).status == OrderStatus.REFUSED
        assert await ticket_state(app, meal) == "withdrawn"
        await assert_clean(app)

    world.run(life)
    check(world)


def test_a_rider_who_sends_positions_is_not_silent(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("r", 100, simulated="vanishing"))
        meal = await order_meal(app)
        await until(app, meal, OrderStatus.AWAITING, step=DELIVER)
        for _ in range(10):
            await asyncio.sleep(300)
            assert await dispatch(app).move(MERCHANT, "r", Point(52, 13))
        assert await offers(app, meal) == [("r", "accepted")]
        assert await dispatch(app).picked_up(MERCHANT, "r", meal) == TAKEN
        assert await dispatch(app).delivered(MERCHANT, "r", meal) == TAKEN
        assert (await settled(app, meal)).status == OrderStatus.COMPLETED

    world.run(life)
    check(world)


def test_a_rider_who_answers_for_one_order_is_not_silent_with_another(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("r", 100, simulated="silent", capacity=2))
        first = await order_meal(app, "first")
        await until(app, first, OrderStatus.AWAITING, step=ASSIGN)
        assert await dispatch(app).accept(MERCHANT, "r", first) == TAKEN
        await asyncio.sleep(500)
        second = await order_meal(app, "second")
        await until(app, second, OrderStatus.AWAITING, step=ASSIGN)
        assert await dispatch(app).accept(MERCHANT, "r", second) == TAKEN
        await asyncio.sleep(300)
        assert await offers(app, first) == [("r", "accepted")]

    world.run(life)


def test_a_pick_up_and_a_delivery_that_come_together_are_both_taken_at_once(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("r", 100, simulated="silent"))
        meal = await order_meal(app)
        await until(app, meal, OrderStatus.AWAITING, step=ASSIGN)
        assert await dispatch(app).accept(MERCHANT, "r", meal) == TAKEN
        await until(app, meal, OrderStatus.AWAITING, step=DELIVER)
        says = (dispatch(app).picked_up, dispatch(app).delivered)
        said = await asyncio.gather(*(say(MERCHANT, "r", meal) for say in says))
        assert said == [TAKEN, TAKEN]
        await asyncio.sleep(60)
        assert (await look(app, meal)).status == OrderStatus.COMPLETED

    world.run(life)
    check(world)


async def strand(app: App) -> str:
    """Let a rider go silent with the food."""
    await open_town(app, at_metres("lost", 100, simulated="straying"), at_metres("r", 500))
    meal = await order_meal(app)
    order = await settled(app, meal)
    assert order.status == OrderStatus.PARKED
    assert await offers(app, meal) == [("lost", "picked_up")]
    await assert_clean(app)
    return meal


def test_a_rider_who_goes_silent_with_the_food_is_raised_to_an_operator(world: Machine) -> None:
    async def life(app: App) -> str:
        meal = await strand(app)
        assert isinstance(await call_off(app, meal), NotCancelled)
        await decisions.compensate(app.engine, meal, MERCHANT, "the food is lost")
        order = await settled(app, meal)
        assert order.status == OrderStatus.CANCELLED
        assert await offers(app, meal) == [("lost", "withdrawn")]
        assert await load_of(app, "lost") == 0
        await assert_clean(app)
        return meal

    meal = world.run(life)
    assert operations(world.directory, meal) == [("authorize", TOTAL), ("void", TOTAL)]
    check(world)


def test_a_delivery_while_parked_is_not_lost(world: Machine) -> None:
    async def life(app: App) -> None:
        meal = await strand(app)
        assert await dispatch(app).delivered(MERCHANT, "lost", meal) == TAKEN
        assert await dispatch(app).delivered(MERCHANT, "lost", meal) == NOT_AWAITED
        await decisions.redrive(app.engine, meal, MERCHANT)
        assert (await settled(app, meal)).status == OrderStatus.COMPLETED
        await assert_clean(app)

    world.run(life)
    check(world)


def test_cancelling_is_free_until_the_restaurant_accepts(world: Machine) -> None:
    async def life(app: App) -> str:
        await open_town(app, at_metres("r", 100), simulated="silent")
        meal = await order_meal(app)
        await until(app, meal, OrderStatus.AWAITING, step=CONFIRM)
        answer = await call_off(app, meal)
        undoes = ("restaurants.withdraw", "payments.void")
        assert answer == Cancelled("void", undoes, 0, TOTAL, "EUR", OrderStatus.COMPENSATING)
        assert (await settled(app, meal)).status == OrderStatus.CANCELLED
        assert await ticket_state(app, meal) == "withdrawn"
        assert await counter(app).accept(MERCHANT, LUIGI, meal, 10) == NOT_AWAITED
        await assert_clean(app)
        return meal

    meal = world.run(life)
    assert operations(world.directory, meal) == [("authorize", TOTAL), ("void", TOTAL)]
    check(world)


@pytest.mark.parametrize("behaviour", ["silent", "vanishing"])
def test_cancelling_after_that_keeps_the_fee_and_says_so(world: Machine, behaviour: str) -> None:
    step = ASSIGN if behaviour == "silent" else DELIVER

    async def life(app: App) -> str:
        await open_town(app, at_metres("r", 100, simulated=behaviour))
        meal = await order_meal(app)
        await until(app, meal, OrderStatus.AWAITING, step=step)
        answer = await call_off(app, meal)
        assert isinstance(answer, Cancelled)
        assert (answer.outcome, answer.fee, answer.returned) == ("part_refund", FEE, TOTAL - FEE)
        assert answer.steps[-2:] == ("restaurants.withdraw", "payments.void")
        assert (await settled(app, meal)).status == OrderStatus.CANCELLED
        again = await call_off(app, meal)
        assert again == Cancelled("part_refund", (), FEE, TOTAL - FEE, "EUR", OrderStatus.CANCELLED)
        assert await offers(app, meal) == [("r", "withdrawn")]
        assert await load_of(app, "r") == 0
        assert await ticket_state(app, meal) == "withdrawn"
        assert await dispatch(app).accept(MERCHANT, "r", meal) == NOT_AWAITED
        await assert_clean(app)
        return meal

    meal = world.run(life)
    assert operations(world.directory, meal) == [("authorize", TOTAL), ("capture", FEE)]
    check(world)


def test_a_fee_whose_capture_is_not_answered_is_taken_once(world: Machine) -> None:
    async def life(app: App) -> str:
        await open_town(app, at_metres("r", 100, simulated="silent"))
        meal = await order_meal(app, payment={"method": "card_unanswered"})
        await until(app, meal, OrderStatus.AWAITING, step=ASSIGN)
        assert isinstance(await call_off(app, meal), Cancelled)
        assert (await settled(app, meal)).status == OrderStatus.CANCELLED
        await assert_clean(app)
        return meal

    meal = world.run(life)
    assert operations(world.directory, meal) == [("authorize", TOTAL), ("capture", FEE)]
    check(world)


def test_once_the_food_is_on_its_way_it_is_too_late(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("r", 100, simulated="straying"))
        meal = await order_meal(app)
        await until(app, meal, OrderStatus.AWAITING, step=DELIVER)
        async with asyncio.timeout(60):
            while await offers(app, meal) == [("r", "accepted")]:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.1)
        assert isinstance(await call_off(app, meal), NotCancelled)
        assert await dispatch(app).delivered(MERCHANT, "r", meal) == TAKEN
        assert (await settled(app, meal)).status == OrderStatus.COMPLETED

    world.run(life)
    check(world)


def test_a_kitchen_takes_on_no_more_than_it_can(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(
            app, at_metres("r", 9, capacity=2, simulated=""), max_preparing=2, simulated=""
        )
        meals = [await order_meal(app, f"key-{number}") for number in range(4)]
        for meal in meals:
            await until(app, meal, OrderStatus.AWAITING, step=CONFIRM)
        said = await asyncio.gather(
            *(counter(app).accept(MERCHANT, LUIGI, meal, 5) for meal in meals)
        )
        assert sorted(said) == sorted([TAKEN, TAKEN, KITCHEN_FULL, KITCHEN_FULL])
        late = await order_meal(app, "late")
        assert (await settled(app, late)).reason == "luigi has too much to prepare"

    world.run(life)
    check_tokens(world.directory)


def test_ready_makes_room_in_the_kitchen(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("r", 10, capacity=9, simulated=""), max_preparing=1)
        first, second = [await order_meal(app, key) for key in ("a", "b")]
        for meal in (first, second):
            await until(
                app, meal, OrderStatus.AWAITING, step=ASSIGN
            )  # a prompt kitchen: one after the other
        assert await ticket_state(app, first) == "ready"

    world.run(life)


def test_what_a_rider_says_at_the_wrong_time_is_turned_away(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("r", 10, simulated=""), at_metres("other", 20, simulated=""))
        meal = await order_meal(app)
        says = dispatch(app)
        await until(app, meal, OrderStatus.AWAITING, step=ASSIGN)
        assert await says.accept(MERCHANT, "other", meal) == NOT_OFFERED
        assert await says.picked_up(MERCHANT, "r", meal) == NOT_NOW
        assert await says.accept("another merchant", "r", meal) == UNKNOWN_ORDER
        assert await says.accept(MERCHANT, "r", "no such order") == UNKNOWN_ORDER
        assert await says.accept(MERCHANT, "r", meal) == TAKEN
        await until(app, meal, OrderStatus.AWAITING, step=DELIVER)
        assert await says.accept(MERCHANT, "r", meal) == NOT_NOW
        assert await says.delivered(MERCHANT, "r", meal) == NOT_NOW
        assert await says.picked_up(MERCHANT, "other", meal) == NOT_OFFERED
        assert await says.picked_up(MERCHANT, "r", meal) == TAKEN
        assert await says.decline(MERCHANT, "r", meal) == NOT_NOW
        assert await says.delivered(MERCHANT, "r", meal) == TAKEN
        assert (await settled(app, meal)).status == OrderStatus.COMPLETED
        await assert_clean(app)

    world.run(life)
    check(world)


def test_an_order_given_back_before_the_pick_up_goes_to_the_next(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("r", 10, simulated="vanishing"), at_metres("next", 20))
        meal = await order_meal(app)
        await until(app, meal, OrderStatus.AWAITING, step=DELIVER)
        assert await dispatch(app).decline(MERCHANT, "r", meal) == TAKEN
        assert (await settled(app, meal)).status == OrderStatus.COMPLETED
        assert await offers(app, meal) == [("r", "declined"), ("next", "delivered")]
        await assert_clean(app)

    world.run(life)
    check(world)


def test_a_timer_of_an_offer_that_fires_late_does_nothing(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("r", 10, simulated=""))
        meal = await order_meal(app)
        order = await until(app, meal, OrderStatus.AWAITING, step=ASSIGN)
        timer = Token(meal, ASSIGN, order.version)
        assert await dispatch(app).accept(MERCHANT, "r", meal) == TAKEN
        await until(app, meal, OrderStatus.AWAITING, step=DELIVER)
        before = app.engine.tally["stale", "riders"]
        body = encode(timer, app.parts.ambient.now_ms())
        await app.parts.queues.queue("riders").send([Outgoing(body)])
        await asyncio.sleep(30)
        assert app.engine.tally["stale", "riders"] == before + 1
        assert await offers(app, meal) == [("r", "accepted")]

    world.run(life)
    check_tokens(world.directory)


def test_deadlines_survive_a_restart(world: Machine) -> None:
    async def first(app: App) -> str:
        await open_town(app, at_metres("a", 10, simulated="silent"), at_metres("b", 20))
        meal = await order_meal(app)
        await until(app, meal, OrderStatus.AWAITING, step=ASSIGN)
        return meal

    async def second(app: App) -> None:
        assert (await settled(app, meal)).status == OrderStatus.COMPLETED
        assert await offers(app, meal) == [("a", "lapsed"), ("b", "delivered")]

    meal = world.run(first)
    world.elapsed += 31 * 86_400
    world.run(second)
    check(world)


def test_twenty_riders_accept_one_offer_and_one_gets_it(world: Machine) -> None:
    async def life(app: App) -> None:
        names = [f"r{number:02}" for number in range(20)]
        fleet = (at_metres(name, 10 + at, simulated="") for at, name in enumerate(names))
        await open_town(app, *fleet)
        meal = await order_meal(app)
        await until(app, meal, OrderStatus.AWAITING, step=ASSIGN)
        says = dispatch(app)
        said = await asyncio.gather(*(says.accept(MERCHANT, name, meal) for name in names[::-1]))
        assert said.count(TAKEN) == 1
        assert said[-1] == TAKEN  # the one who was asked
        again = await asyncio.gather(*(says.accept(MERCHANT, names[0], meal) for _ in range(20)))
        assert TAKEN not in again
        offer = await standing(app, meal)
        assert offer is not None
        assert (offer.rider, offer.state) == ("r00", "accepted")
        await assert_clean(app)

    world.run(life)
    check_tokens(world.directory)


def test_the_one_who_was_asked_says_it_twenty_times_at_once(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("r", 10, simulated=""))
        meal = await order_meal(app)
        await until(app, meal, OrderStatus.AWAITING, step=ASSIGN)
        says = dispatch(app)
        said = await asyncio.gather(*(says.accept(MERCHANT, "r", meal) for _ in range(20)))
        assert said.count(TAKEN) == 1

    world.run(life)


def test_two_orders_for_a_rider_who_can_carry_one(world: Machine) -> None:
    async def life(app: App) -> None:
        await open_town(app, at_metres("r", 10, simulated=""))
        meals = await asyncio.gather(*(order_meal(app, f"key-{n}") for n in range(2)))
        await asyncio.sleep(20)
        states = sorted([(await look(app, meal)).status for meal in meals])
        assert states == [OrderStatus.AWAITING, OrderStatus.REFUSED]
        assert await load_of(app, "r") == 1
        await assert_clean(app)

    world.run(life)


def test_its_story_reads_well(world: Machine) -> None:
    async def life(app: App) -> str:
        fleet = (at_metres("a", 10, simulated="refusing"), at_metres("b", 20, simulated="silent"))
        await open_town(app, *fleet)
        meal = await order_meal(app)
        await until(app, meal, OrderStatus.AWAITING, step=ASSIGN)
        await asyncio.sleep(10)
        story = await explain(app, meal, MERCHANT)
        assert story is not None
        return "\n".join(sentences(story))

    told = world.run(life)
    for sentence in (
        "restaurants.confirm awaits the restaurant's answer, 5 min at most (restaurant luigi)",
        "restaurants.confirm is done (restaurant luigi, minutes 10, ready by 2026-01-01T00:10",
        "riders.assign awaits an answer of rider a, 45 s at most (offer 1, metres ",
        "rider a declined",
        "riders.assign awaits an answer of rider b, 45 s at most (offer 2, metres ",
        "that runs riders.release, restaurants.withdraw, payments.void, and keeps EUR 12.50",
    ):
        assert sentence in told
