"""Bugs of the messaging core: groups, outbox, reconciler, leases, dead letters, outages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from conveyor.core import (
    faults,
    gate,
    gathering,
    group_order,
    reconciler,
    recording_results,
    relay,
    supervision,
    taking_tokens,
)
from conveyor.core.consumer import Consumer
from conveyor.core.dead_letter import dead_letter
from conveyor.core.disposal import Disposal
from conveyor.core.finishing import Finishing
from conveyor.core.receiving import Receiver
from conveyor.core.retries import RetryPolicy
from conveyor.core.tables import orders
from conveyor.testing.planted.planting import always, bug, instead, nothing


def _acknowledge_first(right: Any) -> Any:
    async def transacted(self: Any, work: Any, group: list[Any]) -> Any:
        if work is taking_tokens.take_tokens:
            await self.queue.delete([message.receipt for message in group])
        return await right(self, work, group)

    return transacted


def _forget_first(right: Any) -> Any:
    async def send(self: Any, name: str, rows: list[Any]) -> None:
        await self._delete_rows([rows])
        await right(self, name, rows)

    return send


def _forgets_what_was_refused(right: Any) -> Any:
    async def send(self: Any, name: str, rows: list[Any]) -> None:
        try:
            await right(self, name, rows)
        finally:
            await self._delete_rows([rows])

    return send


def _as_the_token_says(right: Any) -> Any:
    return lambda case, _due, attempts: right(case, case.step, attempts)


def _half(right: Any) -> Any:
    async def finish(
        self: Any, messages: Sequence[Any], dispositions: Sequence[Any], owed: Sequence[Any]
    ) -> None:
        await right(self, messages[:1], dispositions[:1], owed)

    return finish


async def _no_rows(_self: object) -> list[object]:
    return []


def _buries_or_raises(_right: Any) -> Any:
    """As once: it raises out of its group, whose leases leak."""

    async def bury(self: Any, message: Any, cause: str) -> None:
        if not await self._dead_letters.send([dead_letter(message, cause)]):
            await self.delete([message.receipt])

    return bury


def _leaks(_right: Any) -> Any:
    def ended(self: Any, _receipts: Any, task: Any) -> None:
        self._tasks.discard(task)

    return ended


def _buries_or_not(_right: Any) -> Any:
    async def bury(self: Any, message: Any, cause: str) -> None:
        try:
            await self._dead_letters.send([dead_letter(message, cause)])
        finally:
            await self.delete([message.receipt])

    return bury


class _ReceiveFailed(BaseException):
    """No `Exception`, or the loop would go on: that is what it does right."""


def _ends_at_a_failure(right: Any) -> Any:
    """As once: a receive that fails ends its loop."""

    async def poll(self: Any, stop: Any, *, first: bool) -> None:
        receive = self._queue.receive

        async def received(limit: int, wait: float) -> Any:
            try:
                return await receive(limit, wait)
            except Exception as error:
                raise _ReceiveFailed from error

        self._queue.receive = received
        try:
            await right(self, stop, first=first)
        except _ReceiveFailed as error:
            raise SystemError from error

    return poll


def _unsupervised(_right: Any) -> Any:
    async def keep(_self: Any, _name: str, loop: Any, stop: Any) -> None:
        try:
            await loop(stop)
        except Exception:
            return

    return keep


def _receives_count(_right: Any) -> Any:
    return lambda _known, _order, received: (received, received, received > 0)


def _gather_bare(_right: Any) -> Any:
    """As once: what gathers for a group raises for all of it, isolated or not."""

    def gather(tx: Any, context: Any, group: Any) -> None:
        # Looked up when it is called: the simulator puts its own in its place.
        gathering.gather(tx, context, group)

    return gather


def _limit_first(_right: Any) -> Any:
    """As once: of what is overdue, the first page is looked at, whoever it belongs to."""
    joined = reconciler._and_owed
    first = (
        sa.select(orders.c.flow, orders.c.position, orders.c.ending)
        .select_from(joined)
        .where(*reconciler._standing)
        .order_by(orders.c.expected_at, orders.c.sequence)
        .limit(reconciler.PAGE_ROWS)
        .subquery()
    )
    return sa.select(*first.c, sa.func.count()).group_by(*first.c)


NO_RECONCILER = (reconciler.Reconciler, "reconcile_once", nothing)
OPEN_GATE = ((gate.Gate, "opened", nothing), (gate.Gate, "close", always(value=None)))

BUGS = (
    bug("acknowledge_first", "messages are deleted before the commit", "shop",
        (Consumer, "_transact", _acknowledge_first), NO_RECONCILER),
    bug("forget_first", "the outbox forgets before it sends", "shop",
        (relay.Relay, "_send_to", _forget_first), NO_RECONCILER),
    bug("forgets_refused", "the outbox forgets what a queue did not take", "travel",
        (relay.Relay, "_send_to", _forgets_what_was_refused), NO_RECONCILER),
    bug("no_fence", "a token is good at any version", "shop",
        (taking_tokens, "fresh", always(value=True)),
        (taking_tokens, "is_live", always(value=True)),
        (taking_tokens, "_calls_out", always(value=True)),
        (taking_tokens, "_take", _as_the_token_says)),
    bug("no_reconciler", "lost tokens stay lost", "shop", NO_RECONCILER),
    bug("blind_reconciler", "orders of a flow that is not installed hide the others", "shop",
        (reconciler, "_STANDING", _limit_first)),
    bug("no_sweeper", "what a crash left in the outbox stays there", "shop",
        (relay.Relay, "sweep_once", instead(_no_rows))),
    bug("no_relay_at_once", "tokens wait for the sweeper", "shop",
        (relay.Relay, "send", nothing)),
    bug("one_of_a_group", "of a group only the first is finished", "shop",
        (Finishing, "finish", _half)),
    bug("bury_raises", "a dead letter that cannot be sent ends its group", "food",
        (Disposal, "bury", _buries_or_raises), (Consumer, "_ended", _leaks)),
    bug("buried_or_not", "poison is deleted though the dead letters did not take it", "food",
        (Disposal, "bury", _buries_or_not)),
    bug("counts_outages", "what was received while nothing could be committed counts", "shop",
        *OPEN_GATE, (faults, "tries", _receives_count), (taking_tokens, "tries", _receives_count),
        (recording_results, "tries", _receives_count)),
    bug("poller_ends", "a receive that fails ends its loop, and it is started again", "food",
        (Receiver, "poll", _ends_at_a_failure)),
    bug("loop_ends", "a receive that fails ends its loop for good", "food",
        (Receiver, "poll", _ends_at_a_failure), (supervision.Supervisor, "keep", _unsupervised)),
    bug("bare_gather", "a gather that raises is not isolated", "shop",
        (taking_tokens, "gather_all", _gather_bare),
        (recording_results, "gather_all", _gather_bare)),
    bug("bare_gather_travel", "the same, of a journey", "travel",
        (taking_tokens, "gather_all", _gather_bare),
        (recording_results, "gather_all", _gather_bare)),
    bug("nothing_isolated", "a step that raises is its whole group's fault", "food",
        (taking_tokens, "guard", lambda _: lambda _delivery, work: work()),
        (recording_results, "guard", lambda _: lambda _delivery, work: work())),
    bug("out_of_turn", "orders of a group do not wait for their turn", "travel",
        (group_order.GroupOrder, "holds", always(value=0.0))),
    bug("rests_for_hours", "after a fault a message rests for eleven hours", "shop",
        (RetryPolicy, "rest_seconds", always(value=40_000))),
)  # fmt: skip
