"""Draining the dead-letter queues because somebody asks for it."""

from __future__ import annotations

from conveyor.core.actor import Actor
from conveyor.core.draining import Drain, Drained
from conveyor.core.engine import Engine
from conveyor.core.operator_actions import note


async def drain_now(engine: Engine, by: Actor) -> list[Drained]:
    """Drain each queue of what one round takes, and write who asked if there was anything."""
    drained = await Drain(engine).once()
    counts = {it.queue: it.count for it in drained if it.count}
    if counts:
        now_ms, said = engine.ambient.now_ms(), {"queues": counts}
        await engine.database.run(lambda tx: note(tx, by, "messages.drain", now_ms, detail=said))
    return drained
