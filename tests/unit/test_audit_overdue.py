"""The audit holds overdue orders against the messages that there are: each needs one of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.unit.core_driver import Core

from conveyor.core.queue import Outgoing
from conveyor.operations.audit.overdue import check_overdue
from conveyor.testing.loop import run_virtual


@pytest.mark.parametrize(("messages", "violations"), [(0, 2), (1, 2), (2, 0), (3, 0)])
def test_one_message_is_not_the_token_of_two_orders(
    tmp_path: Path, messages: int, violations: int
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue = core.queues.queue("ask")
            queue.swallows = True
            owed = await core.place("a", "b")
            await core.engine.relay.send(owed)
            queue.swallows = False
            await queue.send([Outgoing("whatever it is")] * messages)
            await asyncio.sleep(1)
            finding = await check_overdue(core.engine, core.now_ms)
            assert (finding.examined, finding.violations) == (2, violations)
            assert finding.examples == ([one.order_id for one in owed] if violations else [])

    run_virtual(main())
