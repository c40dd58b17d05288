"""Whether a system can work: what `/readyz` tells a load balancer, and everybody else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from conveyor.commerce.orders.intake_consumer import INTAKE
from conveyor.core.engine import Engine
from conveyor.entrypoints.http.problems import FieldError

READY_SECONDS = 2.0
"""How long the database and the queue may take to answer."""
REMEMBER_MS = 2_000
"""Who asks meanwhile is told the same: nobody without a key is to make a request to SQS by each."""

log = logging.getLogger(__name__)


class Readiness:
    """Looks whether a system can work, and remembers the answer for a moment."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is asked yet."""
        self._engine = engine
        self._looking = asyncio.Lock()
        self._last: list[FieldError] = []
        self._until_ms: int | None = None

    async def errors(self) -> list[FieldError]:
        """Name what does not answer, cannot be written to, or does not go on."""
        async with self._looking:
            now = self._engine.ambient.elapsed_ms()
            if self._until_ms is None or now >= self._until_ms:
                self._last = await self._look()
                self._until_ms = now + REMEMBER_MS
        return self._last

    async def _look(self) -> list[FieldError]:
        engine = self._engine
        wrong = await asyncio.gather(
            _ask(engine, "database", engine.gate.prove()),  # a full disk would let us read
            _ask(engine, "queue", engine.queues.queue(INTAKE).depth()),
        )
        ended = engine.supervisor.unsteady()
        errors = [error for error in wrong if error]
        return errors + [
            FieldError(field=name, message=f"ended: {why}") for name, why in ended.items()
        ]


async def _ask(engine: Engine, name: str, answer: Awaitable[object]) -> FieldError | None:
    with engine.gate.surviving(log, "not ready: the %s does not answer", name):
        try:
            await asyncio.wait_for(answer, READY_SECONDS)
        except TimeoutError:
            return FieldError(field=name, message=f"does not answer within {READY_SECONDS:g} s")
        return None
    return FieldError(field=name, message="does not answer")
