"""What a process counts: once it has committed, and never less than no time."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from tests.unit.core_driver import Core

from conveyor.core.consumer import Consumer
from conveyor.core.measures import Histogram
from conveyor.testing.loop import run_virtual

CALL_SECONDS = 3.0
QUEUE_SECONDS = 20.0


def test_a_group_that_is_run_again_is_counted_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            core.desk.broken = {"b"}
            owed = await core.place("a", "b", "c")
            await core.take("ask", *owed)
            desk = core.queues.queue("desk")
            await Consumer(core.engine, "desk").handle(await desk.receive(10, 0))
            came = Counter[tuple[str, str]]()
            for (_, step, outcome), count in core.engine.measures.steps.items():
                came[step, outcome] += count
            settled = {
                status: it.counts for (_, status), it in core.engine.measures.order_seconds.items()
            }
            assert came == {
                ("ask.price", "done"): 3,
                ("desk.close", "done"): 2,
                ("desk.close", "fault"): 1,
            }
            assert {status: sum(counts) for status, counts in settled.items()} == {"completed": 2}

    run_virtual(main())


def test_a_step_takes_as_long_as_its_call_and_a_message_waits_in_its_queue(tmp_path: Path) -> None:
    async def slowly(request: str) -> str:
        await asyncio.sleep(CALL_SECONDS)
        return request

    async def main() -> None:
        async with Core(tmp_path) as core:
            core.ask.answer = slowly
            await core.engine.relay.send(await core.place("a"))
            await asyncio.sleep(QUEUE_SECONDS)
            ask = core.queues.queue("ask")
            await Consumer(core.engine, "ask").handle(await ask.receive(1, 0))
            measures = core.engine.measures
            [(_, operation, outcome)] = measures.call_seconds
            assert (operation, outcome) == ("ask.price", "answered")
            [called] = measures.call_seconds.values()
            assert called.sum == pytest.approx(CALL_SECONDS)
            assert measures.step_seconds["ask.price",].sum == pytest.approx(CALL_SECONDS)
            assert measures.queue_seconds["ask",].sum == pytest.approx(QUEUE_SECONDS)

    run_virtual(main())


def test_what_takes_as_long_as_a_bound_is_within_it() -> None:
    seen = Histogram((1.0, 2.0))
    for seconds in (-5.0, 0.5, 1.0, 1.5, 2.0, 9.0):
        seen.observe(seconds)
    assert seen.counts == [3, 2, 1]
    assert seen.sum == 14.0
