"""Takes dead letters out of their queues into the database, where they wait for an operator.

Received, kept in the database, committed, and only then deleted. Whatever dies in between leaves
the message in its queue, from where it is received again; the row that is there already stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from conveyor.core import dead_messages
from conveyor.core.engine import Engine
from conveyor.core.outage import surviving
from conveyor.core.queue import DEAD_LETTER_SUFFIX, Queue, Received, VisibilityChange
from conveyor.core.queue_limits import FORBIDDEN
from conveyor.core.supervision import wait_for_stop

log = logging.getLogger(__name__)

DRAIN_SECONDS = 300.0
"""Between two rounds: each is a request a queue, and nothing of theirs is in a hurry."""
SOONER_SECONDS = 5.0
"""Until the next round where one has left some: others have work to do too."""
MOST_A_ROUND = 200
"""Messages that one round takes of one queue."""
WAIT_SECONDS = 1.0
"""How long a receive waits: without any, SQS looks at a part of its servers, and may see none."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What a round has taken out of a dead-letter queue; `more`: there may be some left."""

    queue: str
    count: int
    more: bool = False
    failed: str = ""
    """Why it could not be looked at, or not to its end; '' where it was."""


class Drain:
    """Drains all dead-letter queues, again and again."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is started; see `run`."""
        self._engine = engine

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until told to stop."""
        while not stop.is_set():
            rounds = await self.once(stop)
            await self._forget()
            sooner = any(it.more and not it.failed for it in rounds)
            await wait_for_stop(stop, SOONER_SECONDS if sooner else DRAIN_SECONDS)

    async def once(self, stop: asyncio.Event | None = None) -> list[Drained]:
        """Drain each queue of up to `MOST_A_ROUND`, one queue after the other."""
        done = []
        for name in self._engine.registry.queues:
            if stop is not None and stop.is_set():
                break
            done.append(await self._queue(name))
        return done

    async def _queue(self, name: str) -> Drained:
        """Drain one; what goes wrong with it is told, and keeps none of the others waiting."""
        queue, pages = self._engine.queues.queue(name + DEAD_LETTER_SUFFIX), [0]
        with surviving(log, "dead letters of %s could not be drained now", name) as draining:
            more = await self._pages(name, queue, pages)
        if (error := draining.error) is not None:
            failed = f"{type(error).__name__}: {error}"
            return Drained(name, sum(pages), more=True, failed=failed)
        return Drained(name, sum(pages), more=more)

    async def _pages(self, name: str, queue: Queue, pages: list[int]) -> bool:
        """Drain page by page, each counted in `pages`; says whether there may be more."""
        while sum(pages) < MOST_A_ROUND:
            limit = min(queue.receive_limit, MOST_A_ROUND - sum(pages))
            page = await queue.receive(limit, WAIT_SECONDS)
            pages.append(await self._keep(name, queue, page))
            if pages[-1] < len(page) or not page:
                return False
        return True

    async def _keep(self, name: str, queue: Queue, page: Sequence[Received]) -> int:
        """Keep a page and delete it; gives how many of it are gone from the queue."""
        fit = [it for it in page if not FORBIDDEN.search(it.body)]
        others = [it for it in page if it not in fit]
        if others:  # no database takes them: they stay where they are, and are seen there
            await queue.set_visibility([VisibilityChange(it.receipt, 0) for it in others])
        if not fit:
            return 0
        now = self._engine.ambient.now_ms()
        await self._engine.database.run(lambda tx: dead_messages.keep(tx, name, fit, now))
        left = await queue.delete([it.receipt for it in fit])
        if len(left) < len(fit):
            log.info("%d dead letters of %s are kept in the database now", len(fit), name)
        return len(fit) - len(left)

    async def _forget(self) -> None:
        now = self._engine.ambient.now_ms()
        with surviving(log, "old decisions about messages could not be forgotten now"):
            await self._engine.database.run(lambda tx: dead_messages.forget_old(tx, now))
