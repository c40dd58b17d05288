"""The wall clock is set while orders are under way, by hours and for good or for three seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.examples.stories import ORDER, place, status_of
from tests.flows.renewals import assert_clean

from conveyor.adapters.steady_clock import LASTING_SECONDS
from conveyor.system.composition import App
from conveyor.testing.loop import LoopClock
from conveyor.testing.virtual import Machine

ORDERS = 20
HOUR = 3600
YEAR = 365 * 86_400
A_WHILE = 900
"""Seconds in which an order ends, its rests between faults included."""
SET_FOR_GOOD = 10**9

Set = Callable[[float], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Put the wall clock forward, or back, by so many seconds."""
    right, wrong = LoopClock.now_ms, {"ms": 0}
    monkeypatch.setattr(LoopClock, "now_ms", lambda self: right(self) + wrong["ms"])

    def put(seconds: float) -> None:
        wrong["ms"] = round(seconds * 1000)

    return put


async def place_some(app: App) -> list[str]:
    ids = []
    for number in range(ORDERS):
        method = "card_flaky" if number % 4 == 0 else "card_ok"
        ids.append(await place(app, ORDER | {"payment": {"method": method}}))
        await asyncio.sleep(0.1)
    return ids


async def open_of(app: App, ids: list[str]) -> list[str]:
    return [one for one in ids if await status_of(app, one) != "completed"]


@pytest.mark.parametrize("lasts", [3, SET_FOR_GOOD])
@pytest.mark.parametrize("seconds", [-HOUR, HOUR, -86_400, 86_400, YEAR])
def test_no_order_stands_while_a_clock_is_wrong(
    tmp_path: Path, set_clock: Set, seconds: float, lasts: float
) -> None:
    world = Machine(tmp_path, {"payment_latency_seconds": 1.0})

    async def life(app: App) -> None:
        ids = await place_some(app)
        set_clock(seconds)
        ids.append(await place(app, ORDER))
        await asyncio.sleep(min(lasts, LASTING_SECONDS + 60))
        if lasts < SET_FOR_GOOD:
            set_clock(0)
        ids += await place_some(app)
        await asyncio.sleep(A_WHILE)
        assert not await open_of(app, ids)
        await assert_clean(app)

    world.run(life)


@pytest.mark.parametrize("seconds", [-HOUR, -86_400])
def test_no_order_stands_after_a_start_with_a_clock_that_was_put_back(
    tmp_path: Path, set_clock: Set, seconds: float
) -> None:
    """What the process before has stored, and left in its queues, is ahead of this one's time."""
    world = Machine(tmp_path, {"payment_latency_seconds": 1.0})
    ids = world.run(place_some)
    set_clock(seconds)

    async def life(app: App) -> None:
        await asyncio.sleep(A_WHILE)
        assert not await open_of(app, ids)

    world.run(life)


def test_the_clock_of_a_system_is_set_when_the_machines_has_been_for_long(
    tmp_path: Path, set_clock: Set
) -> None:
    async def life(app: App) -> None:
        set_clock(HOUR)
        before = app.parts.ambient.now_ms()
        await asyncio.sleep(LASTING_SECONDS - 60)
        assert app.parts.ambient.now_ms() - before < HOUR * 1000
        await asyncio.sleep(120)
        assert app.parts.ambient.now_ms() - before > HOUR * 1000

    Machine(tmp_path).run(life)
