"""Months are made before their orders come: by whoever migrates, and by processes that sweep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import sqlalchemy as sa

from conveyor.adapters.postgres import months
from conveyor.core.errors import DatabaseUnavailableError
from conveyor.core.months import Month, months_from
from conveyor.core.supervision import wait_for_stop
from conveyor.core.transaction import Database, Tx

log = logging.getLogger(__name__)

AHEAD = 3
"""Months after this one that are there: so long may pass before anybody has to see to it."""
LOOK_SECONDS = 3_600.0
AGAIN_SECONDS = 60.0
"""After which whoever found the tables busy tries again."""
_SERVERS_MS = sa.text("SELECT extract(epoch FROM clock_timestamp()) * 1000")


class Months:
    """Makes those of this system, where its role may."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        """Nothing is started; see `run`."""
        self._database = database
        self._now_ms = now_ms
        self._warned = False

    async def run(self, stop: asyncio.Event) -> None:
        """Look every `LOOK_SECONDS`, until told to stop."""
        while not stop.is_set():
            done = await self.make_ahead()
            await wait_for_stop(stop, LOOK_SECONDS if done else AGAIN_SECONDS)

    async def make_ahead(self) -> bool:
        """Make what is missing; gives whether there is nothing to be tried again soon."""
        try:
            wanted, may = await self._database.read(self._look)
            if wanted and not may and not self._warned:
                self._warned = True
                log.warning(_LACKING, wanted[0][1].name)
            for table, month in wanted if may else ():
                if made := await self._database.run(partial(months.make, table=table, month=month)):
                    log.info("made the partition %s", made)
        except DatabaseUnavailableError as error:
            log.info("months could not be made now, which is tried again: %s", error)
            return False
        except Exception:
            log.exception(
                "months cannot be made: until they are, orders go to the default partition"
            )
        return True

    def _look(self, tx: Tx) -> tuple[list[tuple[str, Month]], bool]:
        wanted = months.missing(months.partitions(tx), ahead(self._now_ms()))
        return wanted, months.may_make(tx) if wanted else True


async def make_months(database: Database) -> None:
    """Make those of a database to which nobody has a clock yet: the server's own counts."""
    now_ms = await servers_clock(database)
    await Months(database, lambda: now_ms).make_ahead()


async def servers_clock(database: Database) -> int:
    """Ask the server for the time, in milliseconds since the epoch."""
    return await database.read(lambda tx: int(tx.execute(_SERVERS_MS).scalar_one()))


def ahead(now_ms: int) -> list[Month]:
    """Give those that should be there."""
    return list(months_from(Month.at(now_ms), 1 + AHEAD))


_LACKING = (
    "timeline and calls have no partition for %s, and this role may not make one: run `conveyor "
    "migrate` as the owner of the tables; until then orders go to the default partition"
)
