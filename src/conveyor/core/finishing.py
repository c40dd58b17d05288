"""After the commit: each message is deleted, given back or buried, and what is owed is sent.

The commit stands whatever fails here: the sweeper sends what is owed, stale messages are dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from conveyor.core.disposal import GIVEN_BACK_SECONDS, Disposal
from conveyor.core.disposition import HANDLED, PARKED, Bury, Delete, Disposition, Rest
from conveyor.core.engine import Engine
from conveyor.core.in_hand import InHand
from conveyor.core.outbox import OwedToken
from conveyor.core.provider_call import ProviderCall
from conveyor.core.queue import Received

log = logging.getLogger(__name__)


class Finishing:
    """Does with the messages of one queue what their dispositions say."""

    def __init__(
        self,
        engine: Engine,
        queue_name: str,
        disposal: Disposal,
        call: Callable[[ProviderCall], None],
    ) -> None:
        """`call` begins the call of a provider that was committed, and does not wait for it."""
        self._engine = engine
        self._name = queue_name
        self._disposal = disposal
        self._call = call

    async def finish(
        self,
        taken: Sequence[InHand],
        dispositions: Sequence[Disposition],
        owed: Sequence[OwedToken],
    ) -> None:
        """Let go of a group, but of those whose call only begins now; send what it owes."""
        deletes: list[str] = []
        rests: dict[str, int] = {}
        buries: list[Coroutine[Any, Any, None]] = []
        now = asyncio.get_running_loop().time()
        for it, disposition in zip(taken, dispositions, strict=True):
            self._count(it, disposition, now)
            match disposition:
                case ProviderCall():
                    self._call(disposition)
                case Delete(_, said, breaker):
                    deletes.append(it.receipt)
                    if said:
                        log.warning("%s: order %s %s", self._name, it.token.order_id, said)
                    if breaker:
                        breaker.waiting.add(it.token.order_id)
                case Rest(seconds):
                    rests[it.receipt] = seconds
                case Bury(cause) if it.message is not None:
                    buries.append(self._disposal.bury(it.message, cause))
                case Bury():  # what rides has nothing to bury: it is owed, and comes as a message
                    rests[it.receipt] = GIVEN_BACK_SECONDS
        await self._let_go(
            self._disposal.delete(deletes),
            self._disposal.give_back(rests),
            self._engine.relay.send(owed),
            *buries,
        )

    async def bury(self, message: Received, cause: str) -> None:
        """Send what cannot even be read to the dead letters."""
        self._engine.tally[Bury(cause).counted_as, self._name] += 1
        await self._disposal.bury(message, cause)

    def _count(self, it: InHand, disposition: Disposition, now: float) -> None:
        self._engine.tally[disposition.counted_as, self._name] += 1
        if disposition is HANDLED or disposition is PARKED:
            measures = self._engine.measures
            of_step = measures.step_seconds[it.token.step,]
            measures.observe(of_step, now - it.since, it.span or it.token.traceparent)

    async def _let_go(self, *work: Coroutine[Any, Any, None]) -> None:
        for result in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(result, Exception):
                said = "%s: could not delete or give back"
                self._engine.gate.failed(log, result, said, self._name)
