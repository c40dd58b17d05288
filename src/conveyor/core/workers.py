"""The processes that are at work, as each of them writes it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
import sqlalchemy as sa

from conveyor.core.figures import Figures, figures_in
from conveyor.core.tables import workers
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert

BEAT_SECONDS = 10.0
"""How often a process says that it lives."""
SILENT_MS = 35_000
"""After so long without a word, three of which may be late, it is taken for dead."""
FORGET_MS = 3_600_000
"""For so long one that has died without a word is remembered."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process: where it runs, what it serves, and how many tokens it has in its hands by queue.

    Times are milliseconds since the epoch.
    """

    id: str
    host: str
    pid: int
    version: str
    services: tuple[str, ...]
    started_at: int
    seen_at: int
    load: Mapping[str, int] = field(default_factory=dict)
    figures: Figures | None = None
    """What it did in the last minute; None: that is not known."""

    def is_silent(self, now_ms: int) -> bool:
        """Whether it has said nothing for too long."""
        return now_ms - self.seen_at > SILENT_MS


def _put(insert: DialectInsert) -> sa.Executable:
    row = insert(workers)
    upsert: sa.Executable = row.on_conflict_do_update(
        index_elements=["id"],
        set_={name: row.excluded[name] for name in ("load", "seen_at", "figures")},
    )
    return upsert


_PUT = PerDialect(_put)
_LIST = sa.select(workers).order_by(workers.c.started_at, workers.c.id)
_END = sa.delete(workers).where(workers.c.id == sa.bindparam("of_id"))
_FORGET = sa.delete(workers).where(workers.c.seen_at < sa.bindparam("before"))


def say_alive(tx: Tx, worker: Worker) -> None:
    """Write that it lives, and forget those that have been silent for long."""
    tx.execute(_FORGET, {"before": worker.seen_at - FORGET_MS})
    tx.execute(
        _PUT,
        {
            "id": worker.id,
            "host": worker.host,
            "pid": worker.pid,
            "version": worker.version,
            "services": " ".join(worker.services),
            "load": orjson.dumps(dict(worker.load)).decode(),
            "started_at": worker.started_at,
            "seen_at": worker.seen_at,
            "figures": worker.figures.as_text() if worker.figures else "",
        },
    )


def say_ended(tx: Tx, worker_id: str) -> None:
    """Take a process that stops cleanly off the list."""
    tx.execute(_END, {"of_id": worker_id})


def listing(tx: Tx) -> list[Worker]:
    """List the processes, the oldest first, and those among them that have fallen silent."""
    return [
        Worker(
            row.id,
            row.host,
            int(row.pid),
            row.version,
            tuple(row.services.split()),
            int(row.started_at),
            int(row.seen_at),
            orjson.loads(row.load),
            figures_in(row.figures),
        )
        for row in tx.execute(_LIST)
    ]
