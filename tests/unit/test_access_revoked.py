"""For how long a key that was revoked elsewhere still works here: seconds, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from tests.unit.core_driver import Core

from conveyor.access import store
from conveyor.access.access import Access
from conveyor.core.transaction import Database, Tx
from conveyor.testing.loop import run_virtual

T = TypeVar("T")


class HeldUp:
    """A database whose reads have seen what they saw, and are held up before they can say it."""

    dialect = "sqlite"

    def __init__(self, database: Database) -> None:
        self._database = database
        self.has_seen, self.go_on = asyncio.Event(), asyncio.Event()

    async def run(self, work: Callable[[Tx], T]) -> T:
        return await self._database.run(work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        seen = await self._database.read(work)
        self.has_seen.set()
        await self.go_on.wait()
        return seen

    examine = read

    async def close(self) -> None:
        """It is not ours."""


def token(count: int) -> bytes:
    return bytes(range(count))


@pytest.mark.parametrize(("seconds", "works"), [(4.999, True), (5.0, False)])
def test_a_key_that_was_revoked_elsewhere_works_for_five_seconds(
    tmp_path: Path, seconds: float, *, works: bool
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            now, access = core.engine.now(), Access(core.database, core.ambient)
            key, text = await core.database.run(
                lambda tx: store.create(tx, token, merchant="m", scopes=["read"], label="", now=now)
            )
            grant = await access.grant_of(text)
            assert grant is not None
            assert (grant.merchant, grant.scopes) == ("m", frozenset({"read"}))
            await core.database.run(lambda tx: store.revoke(tx, key.id, "m", now))
            await asyncio.sleep(seconds)
            assert (await access.grant_of(text) is not None) is works
            access.forget()
            assert await access.grant_of(text) is None

    run_virtual(main())


def test_a_key_that_is_revoked_while_it_is_looked_up_is_not_remembered(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            now, database = core.engine.now(), HeldUp(core.database)
            access = Access(database, core.ambient)
            key, text = await core.database.run(
                lambda tx: store.create(tx, token, merchant="m", scopes=["read"], label="", now=now)
            )
            looking = asyncio.ensure_future(access.grant_of(text))
            await database.has_seen.wait()
            await core.database.run(lambda tx: store.revoke(tx, key.id, "m", now))
            access.forget()
            database.go_on.set()
            await looking
            assert await access.grant_of(text) is None

    run_virtual(main())
