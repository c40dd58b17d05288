"""What becomes of a message in our hands: it is deleted, given back, or sent to the dead letters.

Its lease is dropped first where it is given back, else an extension would undo the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

from conveyor.core.dead_letter import dead_letter
from conveyor.core.engine import Engine
from conveyor.core.lease import MessageLeases
from conveyor.core.queue import (
    DEAD_LETTER_SUFFIX,
    LONG_POLL_SECONDS,
    Received,
    VisibilityChange,
)
from conveyor.core.riding import Rides

log = logging.getLogger(__name__)

GIVEN_BACK_SECONDS = LONG_POLL_SECONDS + 5
"""How long a message rests that this process cannot commit: another one may.

Longer than the polls that were under way when the gate was closed, which would take it again.
"""


class Disposal:
    """Lets go of the messages of one queue."""

    def __init__(
        self, engine: Engine, queue_name: str, leases: MessageLeases, rides: Rides | None = None
    ) -> None:
        """`leases` and `rides` hold what is in our hands; None: nothing can ride."""
        self._engine = engine
        self._name = queue_name
        self._queue = engine.queues.queue(queue_name)
        self._dead_letters = engine.queues.queue(queue_name + DEAD_LETTER_SUFFIX)
        self._leases = leases
        self._rides = rides

    def rest(self, receives: int) -> int:
        """Give for how many seconds a message rests after a fault, the how-manieth time it came."""
        return self._engine.retries.rest_seconds(receives, self._engine.ambient.random)

    async def delete(self, receipts: Sequence[str]) -> None:
        """Delete: the effect is committed."""
        messages = self._without_rides(receipts)
        try:
            if messages:
                await self._queue.delete(messages)
        finally:
            self._leases.drop(messages)

    async def give_back(self, rests: Mapping[str, int]) -> None:
        """Let these be seen again, each after so many seconds.

        What rode on is sent by a sweeper, once the outbox says that it is due.
        """
        messages = self._without_rides(rests)
        self._leases.drop(messages)
        if messages:
            await self._queue.set_visibility([VisibilityChange(r, rests[r]) for r in messages])

    def _without_rides(self, receipts: Collection[str]) -> list[str]:
        if self._rides is None:
            return list(receipts)
        messages = self._rides.others(receipts)
        self._rides.drop(receipts)
        return messages

    async def bury(self, message: Received, cause: str) -> None:
        """Send to the dead letters, and only then delete; else let it rest and come again."""
        buried = False
        with self._engine.gate.surviving(log, "%s: a dead letter could not be sent", self._name):
            buried = not await self._dead_letters.send([dead_letter(message, cause)])
        if buried:
            await self.delete([message.receipt])
        else:
            await self.give_back({message.receipt: self.rest(message.receive_count)})
