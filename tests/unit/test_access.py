"""A key that was revoked elsewhere works for seconds, whatever the clock does meanwhile."""

from __future__ import annotations

import asyncio
import random
import secrets
from pathlib import Path

from conveyor.access import store
from conveyor.access.access import REMEMBER_MS, Access
from conveyor.access.model import READ
from conveyor.adapters.sqlite.database import SqliteDatabase
from conveyor.core.ambient import Ambient
from conveyor.core.step import Now
from conveyor.core.tables import metadata
from conveyor.testing.loop import run_virtual

HOUR_MS = 3_600_000


class Clock:
    """A wall clock that is set."""

    ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms


def test_a_clock_that_is_put_back_keeps_no_revoked_key_alive(tmp_path: Path) -> None:
    clock, now = Clock(), Now(Clock.ms)
    ambient = Ambient(clock, random.Random(1), lambda: asyncio.get_running_loop().time())

    async def main() -> None:
        database = SqliteDatabase(tmp_path / "access.db", inline=True)
        await database.run(lambda tx: metadata.create_all(tx.connection))
        key, text = await database.run(
            lambda tx: store.create(
                tx, secrets.token_bytes, merchant="m", scopes=[READ], label="", now=now
            )
        )
        access = Access(database, ambient)
        assert await access.grant_of(text) is not None
        await database.run(lambda tx: store.revoke(tx, key.id, None, now))
        clock.ms -= HOUR_MS
        await asyncio.sleep(REMEMBER_MS / 1000)
        assert await access.grant_of(text) is None
        await database.close()

    run_virtual(main())
