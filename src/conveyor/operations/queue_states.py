"""How the queues stand, who of those outside is paused, and which orders hold others back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conveyor.core import dead_messages
from conveyor.core.engine import Engine
from conveyor.core.group_order import Blocker, blockers
from conveyor.core.outage import surviving
from conveyor.core.queue import DEAD_LETTER_SUFFIX, Depth
from conveyor.core.routing_slip import Flow, service_of
from conveyor.core.transaction import Tx
from conveyor.operations.overview.open_orders import Standers, Standing, standers
from conveyor.operations.standing import waiting

log = logging.getLogger(__name__)

MOST_BLOCKERS = 100
_OWED = frozenset({Standing.WAITING, Standing.UNDOING})


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue and its dead letters; None: nobody knows now.

    `kept` dead letters are in the database, drained. `orders` are owed a step of its service, and
    the first of them since `oldest`.
    """

    name: str
    depth: Depth | None
    dead: Depth | None
    orders: int = 0
    oldest: int | None = None
    kept: int = 0

    @property
    def letters(self) -> int | None:
        """Count its dead letters, wherever they wait; None: nobody knows of any now."""
        if self.dead is None:
            return self.kept or None
        return self.dead.total + self.kept


@dataclass(frozen=True, slots=True)
class ProviderState:
    """Somebody outside: `paused` by this process, and so many orders wait until they answer."""

    name: str
    paused: bool
    orders: int


async def queue_states(engine: Engine) -> list[QueueState]:
    """Look at every queue: on SQS that is a request for each, and one for its dead letters."""
    names = list(engine.registry.queues)
    depths = await asyncio.gather(
        *(depth_of(engine, name + end) for name in names for end in ("", DEAD_LETTER_SUFFIX))
    )

    def read(tx: Tx) -> tuple[list[Standers], dict[str, int]]:
        return list(standers(tx)), dead_messages.counts(tx)

    them, kept = await engine.database.read(read)
    owed = _by_service(them, engine.registry.flows)
    states = []
    for at, name in enumerate(names):
        orders, oldest = owed.get(name, (0, None))
        depth, dead = depths[2 * at : 2 * at + 2]
        states.append(QueueState(name, depth, dead, orders, oldest, kept.get(name, 0)))
    return states


async def provider_states(engine: Engine) -> list[ProviderState]:
    """Say whom this process has paused, and for whom orders wait, in whichever process."""
    waits = await engine.database.read(waiting)
    paused = {it.name: it.breaker.is_paused for it in engine.providers}
    return [
        ProviderState(name, paused.get(name, False), waits.get(name, 0))
        for name in sorted(paused.keys() | waits.keys())
    ]


async def group_blockers(engine: Engine, merchant: str | None) -> list[Blocker]:
    """Name the parked orders that hold others of their message group back."""

    def read(tx: Tx) -> list[Blocker]:
        return blockers(tx, merchant, limit=MOST_BLOCKERS)

    return await engine.database.read(read)


async def depth_of(engine: Engine, name: str) -> Depth | None:
    """Count the messages of a queue; None: the queue service does not say, which the log tells."""
    with surviving(log, "the depth of queue %s is not known now", name):
        return await engine.queues.queue(name).depth()
    return None


def _by_service(them: Iterable[Standers], flows: Mapping[str, Flow]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for it in them:
        flow = flows.get(it.flow)
        if flow is None or it.standing not in _OWED or not 0 <= it.position < len(flow.steps):
            continue
        step = flow.steps[it.position]
        service = service_of(step.undo if it.standing == Standing.UNDOING else step.name)
        count, oldest = found.get(service, (0, it.oldest))
        found[service] = count + it.count, min(oldest, it.oldest)
    return found
