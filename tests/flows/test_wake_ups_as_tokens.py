"""A wake-up for somebody's poll that is taken for a token, as by a Lambda function."""

from __future__ import annotations

import asyncio
from pathlib import Path

from conveyor.core.message import NO_ORDER, Token, encode
from conveyor.core.queue import Outgoing
from conveyor.operations.audit import run_audit
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine


def test_it_is_dropped_at_once_and_nobody_is_told_of_a_lost_order(tmp_path: Path) -> None:
    async def live(app: App) -> set[str]:
        now, queue = app.parts.ambient.now_ms(), app.parts.queues.queue("payments")
        await queue.send([Outgoing(encode(Token(NO_ORDER, "wake-up", 1), now))])
        await asyncio.sleep(300)
        return {what for (what, _), count in app.engine.tally.items() if count}

    machine = Machine(tmp_path)
    assert machine.run(live) == {"stale"}
    assert machine.run(run_audit).clean
