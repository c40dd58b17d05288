"""What has happened in the last minutes: read off the end of the timeline, each line of it once.

The timeline has no index by time, and needs none: its numbers rise as time does. They are looked
for between two of them, which a coarse index does on PostgreSQL.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import sqlalchemy as sa

from conveyor.core.order_status import TERMINAL
from conveyor.core.routing_slip import flow_name
from conveyor.core.tables import orders, timeline
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Database, Tx

WINDOW_MS = 15 * 60_000
BUCKET_MS = 10_000
LATE_MS = 2_000
"""What was written by then is committed: on PostgreSQL a later number may be seen before."""
CURRENT_MS = 60_000
PAGE_LINES = 2_000
MOST_LINES = 200_000
"""What is read at most for who looks for the first time; then the window is shorter."""
EXACT_MS = 100
"""Times of up to so long are kept to the millisecond, longer ones to two digits."""


class Passed(NamedTuple):
    """Something that happened to an order; `reason` and `took_ms` are of one that ended."""

    merchant: str
    flow: str
    event: str
    step: str
    reason: str
    took_ms: int

    @property
    def is_end(self) -> bool:
        """Whether it is the order's own end, and not that of a step."""
        return not self.step and self.event in TERMINAL


Buckets = dict[int, Counter[Passed]]
"""By when they begin, in milliseconds since the epoch."""

_TOLD = (
    TimelineEvent.PLACED,
    TimelineEvent.DONE,
    TimelineEvent.COMPLETED,
    TimelineEvent.CANCELLED,
    TimelineEvent.REFUSED,
)
_ENDED = sa.and_(timeline.c.step == "", timeline.c.event.in_([str(it) for it in TERMINAL]))
_LINES = (
    sa.select(
        timeline.c.at,
        orders.c.merchant,
        orders.c.flow,
        timeline.c.event,
        timeline.c.step,
        sa.case((_ENDED, orders.c.reason), else_=""),
        sa.case((_ENDED, timeline.c.at - orders.c.placed_at), else_=0),
    )
    .join(orders, orders.c.id == timeline.c.order_id)
    .where(
        timeline.c.id > sa.bindparam("after"),
        timeline.c.id <= sa.bindparam("upto"),
        timeline.c.event.in_(_TOLD),
    )
)
_among = (
    timeline.c.id > sa.bindparam("after"),
    timeline.c.id <= sa.bindparam("after") + PAGE_LINES,
)
_UPTO = sa.select(
    sa.func.max(sa.case((timeline.c.at <= sa.bindparam("by"), timeline.c.id))), sa.func.count()
).where(*_among)
_FIRST_AFTER = sa.select(timeline.c.at).where(*_among).order_by(timeline.c.id).limit(1)
_NEWEST: dict[str, sa.Executable] = {
    "sqlite": sa.select(sa.func.coalesce(sa.func.max(timeline.c.id), 0)),
    # Its index of numbers is a coarse one, which finds those between two, and not the last.
    "postgresql": sa.text("SELECT last_value FROM timeline_id_seq"),
}


class Passing:
    """Keeps what has happened within the window, and reads on from where it was."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self.buckets: Buckets = {}
        self._after: int | None = None
        self._read_at = 0

    def is_current(self, now_ms: int) -> bool:
        """Whether little is new: else it takes its time to read it."""
        return self._after is not None and now_ms - self._read_at < CURRENT_MS

    async def read_on(self, database: Database, now_ms: int) -> None:
        """Read what is new."""
        if self._after is None or not self.is_current(now_ms):
            self.buckets.clear()
            self._after = await database.read(lambda tx: _start(tx, now_ms - WINDOW_MS))
        while await database.read(lambda tx: self._read_page(tx, now_ms)):
            pass
        self._read_at = now_ms
        for begin in [it for it in self.buckets if it <= now_ms - WINDOW_MS - BUCKET_MS]:
            del self.buckets[begin]

    def _read_page(self, tx: Tx, now_ms: int) -> bool:
        after = self._after or 0
        upto, lines = tx.execute(_UPTO, {"after": after, "by": now_ms - LATE_MS}).one()
        if not lines and after + PAGE_LINES < _newest(tx):
            self._after = after + PAGE_LINES  # numbers that were given, and taken back
            return True
        if upto is None:
            return False
        for at, merchant, flow, event, step, reason, took in tx.execute(
            _LINES, {"after": after, "upto": upto}
        ):
            passed = Passed(merchant, flow_name(flow), str(event), step, reason, _rounded(took))
            self.buckets.setdefault(at - at % BUCKET_MS, Counter())[passed] += 1
        self._after = int(upto)
        return True


def _start(tx: Tx, since_ms: int) -> int:
    """Find the last line before a time, by halves."""
    high = _newest(tx)
    low = max(0, high - MOST_LINES)
    while low < high:
        middle = (low + high) // 2
        at = tx.execute(_FIRST_AFTER, {"after": middle}).scalar()
        if at is None or at >= since_ms:
            high = middle
        else:
            low = middle + 1
    return low


def _newest(tx: Tx) -> int:
    """Give the highest number that was given to a line, be it one that was never written."""
    return int(tx.execute(_NEWEST[tx.dialect]).scalar_one())


def _rounded(took_ms: int) -> int:
    """Keep two digits: times of a million orders are then few."""
    if took_ms <= EXACT_MS:
        return max(took_ms, 0)
    unit: int = 10 ** (len(str(took_ms)) - 2)
    return round(took_ms / unit) * unit
