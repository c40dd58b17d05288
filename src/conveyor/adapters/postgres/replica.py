"""A standby that is only read from: it replays what its primary has committed, somewhat later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa

from conveyor.adapters.postgres.database import CONNECTIONS, PostgresDatabase
from conveyor.adapters.postgres.errors import DEADLOCK_DETECTED, SERIALIZATION_FAILURE
from conveyor.adapters.postgres.places import STANDBY
from conveyor.core.errors import DatabaseUnavailableError, ReplicaUnableError
from conveyor.core.transaction import Database, Tx

T = TypeVar("T")

CATCH_UP_SECONDS = 30.0
LOOK_SECONDS = 0.05
CONFLICT = frozenset({SERIALIZATION_FAILURE, DEADLOCK_DETECTED})
"""What PostgreSQL says when replaying cannot wait any longer for whoever reads."""
WHAT_TO_SET = (
    "set hot_standby_feedback = on there, or max_standby_streaming_delay to more than it takes"
)
_WRITTEN = sa.text("SELECT pg_current_wal_lsn()::text")
# Null where it replays nothing, as after its promotion.
_BEHIND = sa.text(
    "SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() < CAST(:written AS pg_lsn)"
)


class PostgresReplica(PostgresDatabase):
    """What is read here may be older than what is committed, and never younger."""

    def __init__(self, url: str, *, connections: int = CONNECTIONS, pooled: bool = False) -> None:
        """Take `postgresql://...`; of several servers it is a standby, where there is one."""
        super().__init__(url, connections=connections, pooled=pooled, among_several=STANDBY)

    async def catch_up(self, primary: Database) -> None:
        """Wait until all is here that was committed by now. Raises `ReplicaUnableError`."""
        written = await primary.read(lambda tx: str(tx.execute(_WRITTEN).scalar_one()))
        give_up_at = asyncio.get_running_loop().time() + CATCH_UP_SECONDS
        while await self.read(lambda tx: tx.execute(_BEHIND, {"written": written}).scalar()):
            if asyncio.get_running_loop().time() > give_up_at:
                cause = f"it has not replayed in {CATCH_UP_SECONDS:g} s what was committed before"
                raise ReplicaUnableError(self.name, cause)
            await asyncio.sleep(LOOK_SECONDS)

    async def examine(self, work: Callable[[Tx], T]) -> T:
        """Run a long `work`, again where replaying has cut it off. Says what to set if it lasts."""
        try:
            return await super().examine(work)
        except DatabaseUnavailableError as error:
            if _sqlstate(error.__cause__) in CONFLICT:
                cause = f"{error.cause}: {WHAT_TO_SET}"
                raise ReplicaUnableError(error.database, cause) from error
            raise


def _sqlstate(error: BaseException | None) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""
