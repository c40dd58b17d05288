"""The story of an order: one row for whatever happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import sqlalchemy as sa

from conveyor.core.outcome import Detail
from conveyor.core.statements import one_of
from conveyor.core.tables import timeline
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx

KEY = "key"
"""In the detail of `PLACED`: the idempotency key, where there was one."""
AFTER = "after"
"""In the detail of `PLACED`: the order that was placed before it, where there was one."""
BY_QUEUE = "by_queue"
"""In the detail of what became of a step: its token came as a message, where it did not ride on."""

_INSERT = sa.insert(timeline)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the timeline; `detail` holds no personal data."""

    order_id: str
    version: int
    at: int
    event: TimelineEvent
    step: str = ""
    attempt: int = 0
    detail: str = ""


def note(
    tx: Tx,
    order_id: str,
    version: int,
    at: int,
    event: TimelineEvent,
    *,
    step: str = "",
    attempt: int = 0,
    detail: Detail | None = None,
) -> None:
    """Write an entry in this transaction, which holds the order's lock.

    Entries have their numbers before they are committed: of two writers side by side the later
    number could be seen first, and who follows the order would miss the other.
    """
    tx.later(
        _INSERT,
        {
            "order_id": order_id,
            "version": version,
            "at": at,
            "event": event,
            "step": step,
            "attempt": attempt,
            "detail": orjson.dumps(detail).decode() if detail else "",
        },
    )


def placed_with(detail: str) -> tuple[str, str]:
    """Give the key that placed an order and the order before it, from `PLACED`; '' for none."""
    known = orjson.loads(detail) if detail else {}
    return str(known.get(KEY, "")), str(known.get(AFTER, ""))


def of_order(tx: Tx, order_id: str) -> list[Entry]:
    """Give all entries of an order, oldest first."""
    columns = [c for c in timeline.c if c.name != "id"]
    query = sa.select(*columns).where(timeline.c.order_id == order_id).order_by(timeline.c.id)
    return [Entry(*row) for row in tx.execute(query)]


_LAST = sa.select(sa.func.max(timeline.c.id)).where(timeline.c.order_id == sa.bindparam("of_order"))


def last_number(tx: Tx, order_id: str) -> int:
    """Give the number of an order's last entry; 0: it has none."""
    return int(tx.execute(_LAST, {"of_order": order_id}).scalar() or 0)


_FAULTS = (
    sa.select(timeline.c.order_id, timeline.c.version, sa.func.count())
    .where(
        one_of(timeline.c.order_id, "ids", bounded=True),
        timeline.c.event.in_([TimelineEvent.FAULT, TimelineEvent.UNKNOWN]),
    )
    .group_by(timeline.c.order_id, timeline.c.version)
)


def faults(tx: Tx, order_ids: Sequence[str]) -> dict[tuple[str, int], int]:
    """Count the faults of these orders, by order and version where there are any."""
    if not order_ids:
        return {}
    rows = tx.execute(_FAULTS, {"ids": list(order_ids)})
    return {(row[0], row[1]): int(row[2]) for row in rows}


_SINCE = (
    sa.select(timeline)
    .where(timeline.c.order_id == sa.bindparam("of_order"), timeline.c.id > sa.bindparam("after"))
    .order_by(timeline.c.id)
    .limit(sa.bindparam("most"))
)


def since(tx: Tx, order_id: str, after: int, most: int) -> list[tuple[int, Entry]]:
    """Give the entries that follow one, each with its number: those of an order only ever rise."""
    rows = tx.execute(_SINCE, {"of_order": order_id, "after": after, "most": most})
    return [(row[0], Entry(*row[1:])) for row in rows]
