"""A message of the intake queue that is given back comes again when its rest is over."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.flows.test_long_outages import Failing

from conveyor.core.queue import Outgoing
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

FAILURES = 7
"""So many that the last rests are longer than a lease, which a keeper would extend."""


def test_however_long_it_rests_its_lease_is_let_go(tmp_path: Path) -> None:
    world = Machine(tmp_path, {"backoff_base_seconds": 1.0})
    world.wrap_queues = lambda queues: Failing(queues, "intake-dead", FAILURES)

    async def life(app: App) -> None:
        intake, dead = (app.parts.queues.queue(name) for name in ("intake", "intake-dead"))
        await intake.send([Outgoing("not an order")])
        longest = sum(2.0**receives for receives in range(1, FAILURES + 1))
        await asyncio.sleep(longest + 1)
        assert (await intake.depth()).total == 0
        [buried] = await dead.receive(1, 0)
        assert dict(buried.attributes)["cause"]

    world.run(life)
