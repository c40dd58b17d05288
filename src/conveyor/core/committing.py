"""The transaction of a group: bare first, and where that raises with each order on its own.

While the database does not commit, the group waits for it (see `gate`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from conveyor.core.engine import Engine
from conveyor.core.errors import UNABLE
from conveyor.core.faults import Desk
from conveyor.core.outbox import Owed, commit
from conveyor.core.transaction import Tx
from conveyor.core.verdict import Returned, Verdict

T = TypeVar("T")
Work = Callable[[Tx, Desk, Sequence[T]], list[Verdict]]


async def commit_group(
    engine: Engine, work: Work[T], items: Sequence[T], stopping: asyncio.Event
) -> tuple[list[Verdict], list[Owed]]:
    """Give the verdicts once they are committed, and what is to be sent then.

    They are `Returned` where they cannot be committed in time.

    Raises what neither one order nor the database's being away is to blame for.
    """
    gate = engine.gate
    while gate.is_open or await gate.opened_in_time(stopping):
        try:
            return await _commit(engine, work, items)
        except UNABLE as error:
            gate.close(error)
    return [Returned() for _ in items], []


async def _commit(
    engine: Engine, work: Work[T], items: Sequence[T]
) -> tuple[list[Verdict], list[Owed]]:
    try:
        desk = engine.desk(isolate=False)
        return await commit(engine.database, lambda tx: work(tx, desk, items))
    except UNABLE:
        raise
    except Exception:  # noqa: BLE001 - whose fault it was, the isolated run tells
        desk = engine.desk(isolate=True)
        return await commit(engine.database, lambda tx: work(tx, desk, items))
