"""What monitoring is told of what all processes share, beside the orders themselves."""

from __future__ import annotations

from dataclasses import dataclass

from conveyor.core import dead_messages
from conveyor.core.engine import Engine
from conveyor.core.group_order import blocked
from conveyor.core.paused_services import names as paused_names
from conveyor.core.transaction import Tx
from conveyor.core.workers import Worker, listing
from conveyor.operations.standing import Due, due, waiting


@dataclass(frozen=True, slots=True)
class SharedFigures:
    """How it stands. `blocked`: groups with a parked order first, and the orders behind those.

    `waiting`: orders by the provider that they wait for. `dead`: drained messages by queue.
    """

    late: Due
    blocked: tuple[int, int]
    waiting: dict[str, int]
    processes: list[Worker]
    dead: dict[str, int]
    paused: frozenset[str]


async def shared_figures(engine: Engine, now_ms: int) -> SharedFigures:
    """Look at all of it at once."""

    def read(tx: Tx) -> SharedFigures:
        return SharedFigures(
            due(tx, now_ms),
            blocked(tx),
            waiting(tx),
            listing(tx),
            dead_messages.counts(tx),
            paused_names(tx),
        )

    return await engine.database.read(read)
