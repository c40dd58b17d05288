"""Orders go into the archive as soon as they settle, while each message comes ten times."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.crash.test_archive_enumeration import (
    IDS,
    KNOWN,
    CrashingShelf,
    archiver,
    at_rest,
    in_files,
)
from tests.flows.test_storm_and_loss import ORDERS, place_all

from conveyor.operations.archive import Wanted
from conveyor.operations.audit import run_audit
from conveyor.system.composition import App
from conveyor.testing.crashing import Boundaries
from conveyor.testing.storming import COPIES, SPREAD_SECONDS, storming
from conveyor.testing.virtual import Machine


def test_no_order_is_lost_nor_told_of_as_lost(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    shelf = CrashingShelf(directory / "archive", Boundaries())

    async def live(app: App) -> None:
        await place_all(app)
        archived = 0
        async with asyncio.timeout(4 * 3600):
            while archived < ORDERS:
                now = app.parts.ambient.now_ms() + 1
                archived += (await archiver(app, shelf).page(Wanted(now))).archived
                await asyncio.sleep(0.2)
        await asyncio.sleep(4 * SPREAD_SECONDS)
        dropped = sum(n for (what, _), n in app.engine.tally.items() if what == "stale")
        assert dropped > ORDERS * COPIES

    machine = Machine(directory, {"ride_on": False, "delivery_delay_seconds": 1.0})
    machine.wrap_queues = storming
    machine.run(live)
    assert at_rest(directory, IDS) == []
    assert sorted(in_files(directory)) == sorted(at_rest(directory, KNOWN))
    report = Machine(directory).run(run_audit)
    assert report.clean, report.as_json()
