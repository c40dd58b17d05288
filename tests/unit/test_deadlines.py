"""One timer holds the deadlines of many, each to its own."""

from __future__ import annotations

import asyncio

import pytest

from conveyor.core.deadlines import Deadlines
from conveyor.core.errors import UnansweredError
from conveyor.testing.loop import run_virtual


def test_each_is_cut_off_at_its_own_deadline_and_no_other() -> None:
    async def life() -> None:
        deadlines, loop = Deadlines(30.0), asyncio.get_running_loop()
        ended: dict[str, float] = {}

        async def one(name: str, begins: float, takes: float) -> str:
            await asyncio.sleep(begins)
            try:
                await deadlines.keep(asyncio.sleep(takes))
            except UnansweredError:
                ended[name] = loop.time()
                return "late"
            return "done"

        outcomes = await asyncio.gather(
            one("a", 0, 40), one("b", 10, 5), one("c", 20, 29.9), one("d", 25, 99)
        )

        assert list(outcomes) == ["late", "done", "done", "late"]
        assert ended == {"a": 30.0, "d": 55.0}

    run_virtual(life())


def test_what_somebody_else_cancels_is_cancelled() -> None:
    async def life() -> None:
        task = asyncio.create_task(Deadlines(30.0).keep(asyncio.sleep(99)))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(life())


def test_what_the_work_itself_raises_comes_out() -> None:
    async def fails() -> None:
        raise ValueError("its own")

    async def life() -> None:
        with pytest.raises(ValueError, match="its own"):
            await Deadlines(30.0).keep(fails())

    run_virtual(life())
