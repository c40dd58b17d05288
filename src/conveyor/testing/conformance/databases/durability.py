"""What was committed stays, also when the process that wrote it is killed."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from conveyor.core.transaction import Database, Tx
from conveyor.testing.conformance.databases.killing import returned_before_a_kill
from conveyor.testing.conformance.databases.under_test import (
    INSERT,
    DatabaseUnderTest,
    put,
    putting,
    values,
)

WRITES_BEFORE_THE_KILL = 200


class Durability:
    """What `run` returned is there for everybody and for good; what `read` does leaves nothing."""

    def test_what_run_returned_is_seen_by_everybody_and_after_reopening(
        self, place: DatabaseUnderTest
    ) -> None:
        def put_seven(tx: Tx) -> str:
            put(tx, "a", 7)
            return "its result"

        async def write(database: Database) -> None:
            assert await database.run(put_seven) == "its result"
            assert await database.read(values) == {"a": 7}

        async def look(database: Database) -> None:
            assert await database.read(values) == {"a": 7}

        place.play(write, look)

    def test_read_cannot_write(self, place: DatabaseUnderTest) -> None:
        async def story(database: Database) -> None:
            row = {"id": "a", "value": 0, "version": 1}
            with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read-?only"):
                await database.read(putting("a"))
            with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read-?only"):
                await database.read(lambda tx: tx.later(INSERT, row))
            await database.run(putting("b"))
            assert await database.read(values) == {"b": 0}

        place.play(story)

    def test_after_a_kill_everything_that_run_returned_is_there(
        self, place: DatabaseUnderTest
    ) -> None:
        said = returned_before_a_kill(place, WRITES_BEFORE_THE_KILL)

        async def look(database: Database) -> None:
            assert set(said) <= set(await database.read(values))

        place.play(look)
