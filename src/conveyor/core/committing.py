"""The transaction of a group: bare first, and where that raises with each order on its own.

While the database does not commit, the group waits for it (see `gate`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Protocol, TypeVar

from conveyor.core.after_commit import AfterCommit
from conveyor.core.disposal import GIVEN_BACK_SECONDS
from conveyor.core.disposition import Disposition, Rest
from conveyor.core.engine import Engine
from conveyor.core.errors import UNABLE
from conveyor.core.group_context import GroupContext
from conveyor.core.outbox import OwedToken
from conveyor.core.relay import commit
from conveyor.core.transaction import Tx

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Work(Protocol[T_contra]):
    """What is done in the transaction of a group: it says what is to be done with each of it."""

    def __call__(
        self, tx: Tx, context: GroupContext, group: Sequence[T_contra]
    ) -> AfterCommit[list[Disposition]]:
        """Do it; it may be done anew."""
        ...


RETURNED = Rest(GIVEN_BACK_SECONDS, "returned")
"""Nothing can be committed now, which is nobody's fault."""


async def commit_group(
    engine: Engine, work: Work[T], group: Sequence[T], stopping: asyncio.Event
) -> tuple[list[Disposition], list[OwedToken]]:
    """Give the dispositions once they are committed, and what is to be sent then.

    Whatever cannot be committed in time is given back.

    Raises what neither one order nor the database's being away is to blame for.
    """
    isolate = False
    while engine.gate.is_open or await engine.gate.opened_in_time(stopping):
        context = engine.group_context(isolate=isolate)
        handle = partial(work, context=context, group=group)
        try:
            return await commit(engine.database, handle, engine.measures)
        except UNABLE as error:
            engine.gate.close(error)
        except Exception:
            if isolate:
                raise
            isolate = True  # whose fault it was, that run tells
    return [RETURNED] * len(group), []
