"""What is read while others write: one committed state."""

from __future__ import annotations

import asyncio
import threading

from conveyor.core.transaction import Database, Tx
from conveyor.testing.conformance.databases.killing import PATIENCE_SECONDS
from conveyor.testing.conformance.databases.under_test import (
    DatabaseUnderTest,
    put,
    putting,
    values,
)


class ReadsBesideWrites:
    """Transactions in threads, side by side."""

    def test_read_sees_what_is_committed_and_nothing_else(self, place: DatabaseUnderTest) -> None:
        written, looked = threading.Event(), threading.Event()

        def write(tx: Tx) -> None:
            put(tx, "a")
            written.set()
            assert looked.wait(PATIENCE_SECONDS)

        def look(tx: Tx) -> dict[str, int]:
            assert written.wait(PATIENCE_SECONDS)
            seen = values(tx)
            looked.set()
            return seen

        async def story(database: Database) -> None:
            seen, _ = await asyncio.gather(database.read(look), database.run(write))
            assert seen == {}
            assert await database.read(values) == {"a": 0}

        place.play(story)

    def test_a_long_read_sees_one_state_while_writers_go_on(self, place: DatabaseUnderTest) -> None:
        begun, wrote = threading.Event(), threading.Event()

        def look_twice(tx: Tx) -> list[dict[str, int]]:
            first = values(tx)
            begun.set()
            assert wrote.wait(PATIENCE_SECONDS)
            return [first, values(tx)]

        async def story(database: Database) -> None:
            reading = asyncio.create_task(database.read(look_twice))
            assert await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
            await database.run(putting("a"))
            wrote.set()
            assert await reading == [{}, {}]

        place.play(story)
