"""What holds while many want the same."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa

from conveyor.core.errors import VersionConflictError
from conveyor.core.transaction import Database, Tx
from conveyor.testing.conformance.databases.under_test import (
    DatabaseUnderTest,
    counters,
    fenced,
    putting,
    values,
)


class Races:
    """Tasks that race, and that are cancelled."""

    def test_tasks_that_race_for_one_row_lose_no_update(self, place: DatabaseUnderTest) -> None:
        increment = counters.update().values(value=counters.c.value + 1)

        async def story(database: Database) -> None:
            await database.run(putting("a"))
            await asyncio.gather(
                *(database.run(lambda tx: tx.execute(increment)) for _ in range(200))
            )
            assert await database.read(values) == {"a": 200}

        place.play(story)

    def test_tasks_that_race_behind_the_fence_win_once_a_version(
        self, place: DatabaseUnderTest
    ) -> None:
        """Each reads the version and writes later: of those that read the same one, one passes."""

        def add_one(tx: Tx) -> None:
            row = tx.execute(sa.select(counters)).one()
            fenced(tx, row.id, row.version, row.value + 1)

        async def until_it_passes(database: Database) -> None:
            while True:
                try:
                    await database.run(add_one)
                except VersionConflictError:
                    continue
                return

        async def story(database: Database) -> None:
            await database.run(putting("a"))
            await asyncio.gather(*(until_it_passes(database) for _ in range(50)))
            assert await database.read(values) == {"a": 50}

        place.play(story)

    def test_a_cancelled_submitter_leaves_the_database_usable(
        self, place: DatabaseUnderTest
    ) -> None:
        async def story(database: Database) -> None:
            doomed = asyncio.create_task(database.run(putting("doomed")))
            await asyncio.sleep(0)
            doomed.cancel()
            await database.run(putting("kept"))
            assert set(await database.read(values)) - {"doomed"} == {"kept"}

        place.play(story)
