"""What a transaction holds together: all of it is committed, or nothing."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
import sqlalchemy as sa

from conveyor.core.errors import VersionConflictError
from conveyor.core.transaction import Database, Tx
from conveyor.testing.conformance.databases.under_test import (
    INSERT,
    UPSERT,
    DatabaseUnderTest,
    counters,
    fenced,
    put,
    putting,
    values,
)

SET_BY_WORDS = (
    sa.update(counters)
    .where(counters.c.id == sa.bindparam("order"))
    .values(value=sa.bindparam("authorization"))
)
WITH_WHAT_IT_BRINGS = sa.insert(counters).values(version=7)


class OwnMistakeError(Exception):
    """What a function under test raises on purpose."""


def fail_after_writing(tx: Tx) -> None:
    """Write, and raise."""
    put(tx, "now")
    tx.later(INSERT, {"id": "later", "value": 0, "version": 1})
    raise OwnMistakeError


class Transactions:
    """Commit, rollback, `later`, the fence, and savepoints."""

    def test_no_commit_means_rollback(self, place: DatabaseUnderTest) -> None:
        async def story(database: Database) -> None:
            with pytest.raises(OwnMistakeError):
                await database.run(fail_after_writing)
            assert await database.run(values) == {}

        place.play(story)

    def test_the_neighbours_of_a_failing_function_commit(self, place: DatabaseUnderTest) -> None:
        def write(number: int, tx: Tx) -> None:
            put(tx, f"row-{number}", number)
            if number % 5 == 0:
                raise OwnMistakeError

        async def story(database: Database) -> None:
            runs = (database.run(partial(write, n)) for n in range(20))
            results = await asyncio.gather(*runs, return_exceptions=True)
            assert [n for n, r in enumerate(results) if isinstance(r, OwnMistakeError)] == [
                0,
                5,
                10,
                15,
            ]
            stored = await database.read(values)
            assert sorted(stored.values()) == [n for n in range(20) if n % 5]

        place.play(story)

    def test_a_violated_constraint_fails_its_own_function_alone(
        self, place: DatabaseUnderTest
    ) -> None:
        async def story(database: Database) -> None:
            row = {"id": "same", "value": 0, "version": 1}
            runs = [database.run(lambda tx: tx.later(INSERT, row)) for _ in range(3)]
            runs.append(database.run(putting("other")))
            results = await asyncio.gather(*runs, return_exceptions=True)
            assert sum(isinstance(r, sa.exc.IntegrityError) for r in results) == 2
            assert set(await database.read(values)) == {"same", "other"}

        place.play(story)

    def test_later_writes_in_the_order_of_first_use_and_before_the_commit(
        self, place: DatabaseUnderTest
    ) -> None:
        def work(tx: Tx) -> dict[str, int]:
            for number in range(300):
                tx.later(INSERT, {"id": f"{number:03}", "value": 0, "version": 1})
                tx.later(UPSERT, {"id": f"{number:03}", "value": number, "version": 1})
            return values(tx)

        async def story(database: Database) -> None:
            assert await database.run(work) == {}
            assert await database.read(values) == {f"{n:03}": n for n in range(300)}

        place.play(story)

    def test_a_batch_takes_words_of_sql_for_names_and_what_its_statement_brings(
        self, place: DatabaseUnderTest
    ) -> None:
        def work(tx: Tx) -> None:
            for at, name in enumerate("abcde"):
                tx.later(WITH_WHAT_IT_BRINGS, {"id": name, "value": 0})
                tx.later(SET_BY_WORDS, {"order": name, "authorization": at}, must_match=True)

        def versions(tx: Tx) -> set[int]:
            return set(tx.execute(sa.select(counters.c.version)).scalars())

        async def story(database: Database) -> None:
            await database.run(work)
            assert await database.read(values) == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}
            assert await database.read(versions) == {7}

        place.play(story)

    def test_the_fence_lets_all_pass_or_none(self, place: DatabaseUnderTest) -> None:
        def prepare(tx: Tx) -> None:
            for name in "abc":
                put(tx, name)

        def move_on(tx: Tx, versions: dict[str, int]) -> None:
            put(tx, f"effect of {versions}")
            for name, version in versions.items():
                fenced(tx, name, version, value=5)

        async def story(database: Database) -> None:
            await database.run(prepare)
            await database.run(lambda tx: move_on(tx, {"a": 1, "b": 1}))
            before = await database.read(values)
            assert (before["a"], before["b"], before["c"]) == (5, 5, 0)
            with pytest.raises(VersionConflictError) as caught:
                await database.run(lambda tx: move_on(tx, {"a": 2, "b": 1, "c": 1}))
            assert (caught.value.expected, caught.value.updated) == (3, 2)
            assert await database.read(values) == before

        place.play(story)

    def test_a_savepoint_undoes_what_is_inside_and_nothing_else(
        self, place: DatabaseUnderTest
    ) -> None:
        def work(tx: Tx) -> None:
            tx.later(INSERT, {"id": "later before", "value": 0, "version": 1})
            put(tx, "before")
            with pytest.raises(OwnMistakeError), tx.savepoint():
                fail_after_writing(tx)
            with pytest.raises(sa.exc.IntegrityError), tx.savepoint():
                tx.later(INSERT, {"id": "before", "value": 0, "version": 1})
            with pytest.raises(VersionConflictError), tx.savepoint():
                fenced(tx, "before", version=99, value=1)
            with tx.savepoint():
                put(tx, "kept")
                tx.later(INSERT, {"id": "later kept", "value": 0, "version": 1})
            put(tx, "after")

        async def story(database: Database) -> None:
            await database.run(work)
            kept = {"before", "later before", "kept", "later kept", "after"}
            assert set(await database.read(values)) == kept

        place.play(story)
