"""Draining the dead-letter queues now, and not once the time for it has come."""

from __future__ import annotations

from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Acting, Operator, TheApi
from conveyor.entrypoints.http.dead_letter_schemas import Drained, DrainedQueue
from conveyor.entrypoints.http.dead_letters import sees_poison
from conveyor.entrypoints.http.described import changing
from conveyor.entrypoints.http.problems import ProblemError
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.operations.draining import drain_now

router = ApiRouter("/v1/dead-letters", tags=["dead letters"])
_NOT_YOURS = "Messages in the dead-letter queues are shown to whoever runs the system."


@router.post("/drain", responses=changing())
async def drain_dead_letters(api: TheApi, grant: Operator, by: Acting) -> Drained:
    """Take messages out of the dead-letter queues, to wait for an operator in the database.

    Up to 200 of each queue. A queue keeps nothing for longer than 14 days, the database does.
    """
    if not sees_poison(api, grant):
        raise ProblemError(Code.FORBIDDEN, _NOT_YOURS)
    drained = await drain_now(api.app.engine, by)
    return Drained(
        queues=[
            DrainedQueue(queue=it.queue, count=it.count, more=it.more, failed=it.failed or None)
            for it in drained
        ]
    )
