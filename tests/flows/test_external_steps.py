"""A process elsewhere takes steps: late, silent, cancelled meanwhile, its messages lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from examples.node.billed import ONE_HOUR
from tests.examples.stories import order_of, place, status_of, steps_done

from conveyor.core.answers import NOT_AWAITED, TAKEN, StepAnswer
from conveyor.core.message import Token, decode
from conveyor.core.reconciler import RECONCILE_SECONDS
from conveyor.operations import decisions
from conveyor.operations.audit import run_audit
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

CHARGE, REFUND = "billing.charge", "billing.refund"
YES: dict[str, Any] = {"charged": True, "reference": "R1"}
NO: dict[str, Any] = {"charged": False, "reason": "declined"}
BACK: dict[str, Any] = {"reference": "R2"}
MINUTE = 60
NOTICED = 3 * RECONCILE_SECONDS
ORDER = {
    "flow": "billed",
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1, "unit_price": 1_177}],
    "payment": {"method": "card_ok"},
}
T = TypeVar("T")
Live = Callable[[Callable[[App], Coroutine[Any, Any, T]]], T]


@pytest.fixture
def world(tmp_path: Path) -> Machine:
    """One data directory with the example's flow."""
    return Machine(tmp_path, {"extensions": "examples.node.billed:EXTENSION"})


@pytest.fixture
def live(world: Machine) -> Live[Any]:
    """Live a life of it, whose audit is clean in the end."""

    async def audited(app: App, life: Callable[[App], Coroutine[Any, Any, T]]) -> T:
        given = await life(app)
        report = await run_audit(app)
        assert report.clean, report.findings
        return given

    return lambda life: world.run(lambda app: audited(app, life))


async def receive(app: App) -> Token:
    """Be the process elsewhere: receive a message, and let it be gone."""
    queue = app.parts.queues.queue("billing")
    while not (messages := await queue.receive(1, 20.0)):
        pass
    await queue.delete([messages[0].receipt])
    return decode(messages[0].body)


async def answer(app: App, token: Token, body: dict[str, Any]) -> str:
    given = StepAnswer(token.order_id, token.step, body, version=token.version)
    return await app.answers.take(given)


def test_an_answer_counts_once_and_only_at_its_version(live: Live[Any]) -> None:
    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        token = await receive(app)
        other = Token(order_id, CHARGE, token.version + 1)

        assert await answer(app, other, YES) == NOT_AWAITED
        assert await asyncio.gather(*(answer(app, token, YES) for _ in range(3))) == [
            TAKEN,
            NOT_AWAITED,
            NOT_AWAITED,
        ]
        await asyncio.sleep(MINUTE)
        assert await answer(app, token, NO) == NOT_AWAITED
        assert await status_of(app, order_id) == "completed"

    live(life)


def test_a_message_that_is_lost_is_sent_again(live: Live[Any]) -> None:
    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        first = await receive(app)
        again = await receive(app)

        assert first == again
        assert await answer(app, again, YES) == TAKEN
        await asyncio.sleep(MINUTE)
        assert await status_of(app, order_id) == "completed"

    live(life)


async def begin(app: App) -> Token:
    """Place an order, and take its message."""
    await place(app, ORDER)
    return await receive(app)


async def after(app: App, version: int) -> Token:
    """Receive the next message, past copies of what was owed before."""
    while (token := await receive(app)).version <= version:
        pass
    return token


def test_who_is_silent_for_too_long_leaves_the_order_to_an_operator(
    world: Machine, live: Live[Any]
) -> None:
    token = live(begin)

    async def in_time(app: App) -> None:
        await asyncio.sleep(NOTICED)
        assert await status_of(app, token.order_id) == "processing"

    async def too_late(app: App) -> None:
        await asyncio.sleep(NOTICED)
        assert await status_of(app, token.order_id) == "parked"
        assert await answer(app, token, YES) == NOT_AWAITED  # it is the operator's now

        await decisions.redrive(app.engine, token.order_id, None)
        assert await answer(app, await after(app, token.version), YES) == TAKEN
        await asyncio.sleep(MINUTE)
        assert await status_of(app, token.order_id) == "completed"

    world.elapsed += ONE_HOUR - 2 * MINUTE
    live(in_time)
    world.elapsed += 2 * MINUTE
    live(too_late)


def test_an_operator_undoes_what_nobody_answered_for(world: Machine, live: Live[Any]) -> None:
    token = live(begin)

    async def too_late(app: App) -> None:
        await asyncio.sleep(NOTICED)
        await decisions.compensate(app.engine, token.order_id, None, "the worker is gone")

        # It may have been charged: the program is asked to see to it.
        undo = await after(app, token.version)
        assert undo.step == REFUND
        assert await answer(app, undo, BACK) == TAKEN
        assert await status_of(app, token.order_id) == "cancelled"

    world.elapsed += ONE_HOUR
    live(too_late)


@pytest.mark.parametrize(("said", "undone"), [(YES, [CHARGE, REFUND]), (NO, [])])
def test_a_cancellation_waits_for_the_answer(
    live: Live[Any], said: dict[str, Any], undone: list[str]
) -> None:
    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        token = await receive(app)

        cancelled = await decisions.cancel(app.engine, order_id, None, "changed my mind")
        assert isinstance(cancelled, decisions.Cancelled)
        assert (await order_of(app, order_id)).cancelling
        assert await answer(app, token, said) == TAKEN
        if undone:
            assert await answer(app, await receive(app), BACK) == TAKEN

        assert await status_of(app, order_id) == ("cancelled" if undone else "refused")
        assert await steps_done(app, order_id) == undone

    live(life)
