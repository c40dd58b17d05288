"""An answer is taken once, however often and however close together it comes."""

from __future__ import annotations

from pathlib import Path

from tests.unit.core_driver import Core

from conveyor.core.answers import (
    NOT_AWAITED,
    TAKEN,
    UNKNOWN_ORDER,
    Answers,
    StepAnswer,
    take_answers,
)
from conveyor.core.consumer import Consumer
from conveyor.core.outbox import OwedToken
from conveyor.testing.loop import run_virtual

STEP = "desk.close"


async def waiting(core: Core) -> OwedToken:
    """Give an order that awaits an answer."""
    [owed] = await core.place("wait")
    await core.take("ask", owed)
    await Consumer(core.engine, "desk").handle(await core.queues.queue("desk").receive(1, 0))
    assert [order.status for order in await core.orders([owed])] == ["awaiting"]
    return owed


def test_of_two_answers_in_one_group_the_first_is_taken(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed, answers = await waiting(core), Answers(core.engine)
            given = [StepAnswer(owed.order_id, STEP, {"says": said}) for said in ("yes", "no")]
            context = core.engine.group_context(isolate=False)
            taken = await core.database.run(lambda tx: take_answers(tx, context, given))
            assert taken == [TAKEN, NOT_AWAITED]
            [order] = await core.orders([owed])
            assert (order.status, order.version) == ("completed", owed.version + 3)
            assert await answers.take(given[0]) == NOT_AWAITED
            assert await core.owing() == {}

    run_virtual(main())


def test_an_answer_to_another_step_or_to_no_order_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed, answers = await waiting(core), Answers(core.engine)
            wrong = StepAnswer(owed.order_id, "ask.price", {"says": "yes"})
            nobody = StepAnswer("9" * 26, STEP, {"says": "yes"})
            assert [await answers.take(one) for one in (wrong, nobody)] == [
                NOT_AWAITED,
                UNKNOWN_ORDER,
            ]
            assert [order.status for order in await core.orders([owed])] == ["awaiting"]

    run_virtual(main())
