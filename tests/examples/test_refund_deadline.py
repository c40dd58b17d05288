"""A refund request that nobody answers, on virtual time: two weeks, with a restart in between."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.examples.stories import place, status_of, steps_done

from conveyor.core.answers import NOT_AWAITED, StepAnswer
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

DAY = 86_400
MINUTES = 300
ORDER = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1, "unit_price": 1_177}],
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}


@pytest.fixture
def world(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """One data directory with the package installed, where a day passes in no time."""
    monkeypatch.syspath_prepend(str(package))
    yield Machine(tmp_path / "world")
    for name in [name for name in sys.modules if name.partition(".")[0] == "refund_request"]:
        del sys.modules[name]


async def ask(app: App) -> str:
    """Buy something, and ask for the money back."""
    bought = await place(app, ORDER | {"flow": "shop"})
    await asyncio.sleep(60)
    assert await status_of(app, bought) == "completed"
    wish = {"flow": "refund", "order": bought, "why": "", "payment": {"method": "store_credit"}}
    request = await place(app, ORDER | wish)
    await asyncio.sleep(60)
    return request


def test_nobody_decides_within_two_weeks(world: Machine) -> None:
    request = world.run(ask)

    async def still_waiting(app: App) -> None:
        await asyncio.sleep(MINUTES)
        assert await status_of(app, request) == "awaiting"

    async def too_late(app: App) -> None:
        await asyncio.sleep(MINUTES)
        assert await status_of(app, request) == "refused"
        assert await steps_done(app, request) == ["refunds.check", "refunds.release"]
        late = StepAnswer(request, "refunds.decide", {"approved": True, "by": "sam"})
        assert await app.answers.take(late) == NOT_AWAITED

    world.elapsed += 13 * DAY  # the system is off meanwhile
    world.run(still_waiting)
    world.elapsed += 1 * DAY
    world.run(too_late)


def test_the_deadline_that_comes_after_the_answer_does_nothing(world: Machine) -> None:
    async def answer(app: App) -> str:
        request = await ask(app)
        await app.answers.take(
            StepAnswer(request, "refunds.decide", {"approved": True, "by": "sam"})
        )
        await asyncio.sleep(MINUTES)
        return request

    async def look(app: App) -> None:
        await asyncio.sleep(MINUTES)
        assert await status_of(app, request) == "completed"
        assert await steps_done(app, request) == [
            "refunds.check",
            "refunds.decide",
            "refunds.credit",
            "orders.complete",
        ]

    request = world.run(answer)
    world.elapsed += 15 * DAY
    world.run(look)
