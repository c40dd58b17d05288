"""A process's sign of life, for whoever looks at them all."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Collection
from dataclasses import replace
from importlib.metadata import version

from conveyor.core.engine import Engine
from conveyor.core.errors import ConveyorError
from conveyor.core.figures import Recent, counted
from conveyor.core.supervision import wait_for_stop
from conveyor.core.workers import BEAT_SECONDS, Worker, say_alive, say_ended

log = logging.getLogger(__name__)

API = "api"
"""Among the services of a process: it answers HTTP."""


class Heartbeat:
    """Says every `BEAT_SECONDS` that this process lives, and at the end that it does not."""

    def __init__(self, engine: Engine, services: Collection[str], *, serves_api: bool) -> None:
        """Nothing is said yet."""
        self._engine = engine
        now = engine.ambient.now_ms()
        self._worker = Worker(
            engine.ambient.new_id(),
            socket.gethostname(),
            os.getpid(),
            version("conveyor"),
            (*([API] if serves_api else []), *services),
            now,
            now,
        )
        self._recent = Recent(engine.ambient.elapsed_ms())

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until told to stop."""
        while not stop.is_set():
            await self._say()
            await wait_for_stop(stop, BEAT_SECONDS)
        await self._end()

    async def _say(self) -> None:
        engine = self._engine
        load = {queue: count() for queue, count in engine.in_hand.items() if count()}
        done = counted(engine.measures, engine.tally, engine.queues.requests)
        figures = self._recent.look(done, engine.ambient.elapsed_ms())
        seen_at = engine.ambient.now_ms()
        worker = replace(self._worker, seen_at=seen_at, load=load, figures=figures)
        try:
            await engine.database.run(lambda tx: say_alive(tx, worker))
        except ConveyorError as error:
            log.info("a sign of life could not be written now: %s", error)

    async def _end(self) -> None:
        try:
            await self._engine.database.run(lambda tx: say_ended(tx, self._worker.id))
        except ConveyorError as error:
            log.info("the end of this process could not be written: %s", error)
