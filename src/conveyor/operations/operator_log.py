"""The log of what operators did, looked into."""

from __future__ import annotations

from conveyor.core.engine import Engine
from conveyor.core.operator_actions import Action, Wanted, listing


async def actions_of(engine: Engine, wanted: Wanted, limit: int) -> list[Action]:
    """List what was done, the newest first."""
    return await engine.database.read(lambda tx: listing(tx, wanted, limit))
