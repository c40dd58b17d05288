"""The gate opens when the database takes a commit again, and not for less."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.unit.core_driver import Core

from conveyor.core.errors import DatabaseUnavailableError
from conveyor.core.gate import LAST_PROBE_SECONDS, Gate
from conveyor.core.tables import turns
from conveyor.core.transaction import Database, Tx
from conveyor.testing.loop import run_virtual

T = TypeVar("T")


class FullDisk:
    """A database that can be read, and commits nothing that was written."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.dialect = database.dialect
        self.is_full = True
        self.asked = 0

    async def run(self, work: Callable[[Tx], T]) -> T:
        def noticing(tx: Tx) -> T:
            before = _changes(tx)
            result = work(tx)
            tx.flush()
            self.asked += 1
            if self.is_full and _changes(tx) != before:
                raise DatabaseUnavailableError("the database", "its disk is full")
            return result

        return await self._database.run(noticing)

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self._database.read(work)

    async def examine(self, work: Callable[[Tx], T]) -> T:
        return await self._database.examine(work)

    async def close(self) -> None:
        await self._database.close()


def _changes(tx: Tx) -> int:
    return int(tx.connection.exec_driver_sql("SELECT total_changes()").scalar_one())


def test_it_stays_closed_while_the_disk_is_full_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            disk, stop = FullDisk(core.database), asyncio.Event()
            gate = Gate(disk, core.ambient.random)
            gate.close(DatabaseUnavailableError("the database", "its disk is full"))
            waiting = asyncio.create_task(gate.opened(stop))
            await asyncio.sleep(3_600)
            open_while_full = gate.is_open
            disk.is_full = False
            await asyncio.sleep(LAST_PROBE_SECONDS)
            assert (open_while_full, gate.is_open) == (False, True)
            # At growing intervals, so that a database that is down is not kept busy by it.
            assert 3_600 / LAST_PROBE_SECONDS < disk.asked < 2.1 * 3_600 / LAST_PROBE_SECONDS
            await waiting
            assert await core.database.read(lambda tx: tx.execute(turns.select()).all()) == []

    run_virtual(main())
