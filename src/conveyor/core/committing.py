"""The transaction of a group: bare first, and where that raises with each order on its own.

While the database does not commit, the group waits for it (see `gate`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from conveyor.core.disposition import Disposition, Returned
from conveyor.core.engine import Engine
from conveyor.core.errors import UNABLE
from conveyor.core.group_context import GroupContext
from conveyor.core.outbox import OwedToken
from conveyor.core.relay import commit
from conveyor.core.transaction import Tx

T = TypeVar("T")
Work = Callable[[Tx, GroupContext, Sequence[T]], list[Disposition]]


async def commit_group(
    engine: Engine, work: Work[T], items: Sequence[T], stopping: asyncio.Event
) -> tuple[list[Disposition], list[OwedToken]]:
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
) -> tuple[list[Disposition], list[OwedToken]]:
    try:
        context = engine.group_context(isolate=False)
        return await commit(engine.database, lambda tx: work(tx, context, items), engine.measures)
    except UNABLE:
        raise
    except Exception:  # noqa: BLE001 - whose fault it was, the isolated run tells
        context = engine.group_context(isolate=True)
        return await commit(engine.database, lambda tx: work(tx, context, items), engine.measures)
