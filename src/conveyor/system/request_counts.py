"""How many requests all processes have made to the queue service: each writes down its own."""

from __future__ import annotations

import asyncio
import logging

import sqlalchemy as sa

from conveyor.core.ambient import Ambient
from conveyor.core.outage import surviving
from conveyor.core.queue import Queues
from conveyor.core.supervision import wait_for_stop
from conveyor.core.tables import request_counts
from conveyor.core.transaction import Database, PerDialect, Tx
from conveyor.core.untyped import DialectInsert

log = logging.getLogger(__name__)

COUNT_SECONDS = 5.0
"""How far behind the sum may be."""


def _put(insert: DialectInsert) -> sa.Executable:
    row = insert(request_counts)
    upsert: sa.Executable = row.on_conflict_do_update(
        index_elements=["process"], set_={"requests": row.excluded.requests}
    )
    return upsert


_PUT = PerDialect(_put)
_SUM = sa.select(sa.func.coalesce(sa.func.sum(request_counts.c.requests), 0))


class RequestCounts:
    """Writes this process's count down while it grows."""

    def __init__(self, database: Database, queues: Queues, ambient: Ambient) -> None:
        self._database = database
        self._queues = queues
        self._process = ambient.new_id()
        self._written = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Write it every `COUNT_SECONDS` until told to stop, and once more then."""
        while not stop.is_set():
            await wait_for_stop(stop, COUNT_SECONDS)
            with surviving(log, "requests could not be counted now; the next time tells them too"):
                await self._write()

    async def _write(self) -> None:
        count = self._queues.requests
        if count == self._written:
            return
        row = {"process": self._process, "requests": count}
        await self._database.run(lambda tx: tx.later(_PUT, row))
        self._written = count


def requests_made(tx: Tx) -> int:
    """Give the sum of all processes, also of those that have ended; `COUNT_SECONDS` behind."""
    return int(tx.execute(_SUM).scalar_one())
