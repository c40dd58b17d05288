"""Two transactions at once on a real PostgreSQL, the second begun while the first is under way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import sqlalchemy as sa
from tests.unit.goods_driver import Books

from conveyor.core.transaction import Tx

T = TypeVar("T")

POLL_SECONDS = 0.01
PATIENCE_SECONDS = 30.0
_WAITS = sa.text("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = :pid")


def beside(books: Books, first: Callable[[Tx], object], second: Callable[[Tx], T]) -> T:
    """Run `first`, and before it commits `second`, as far as it gets; gives what that gives.

    Whatever the second reads without waiting for the first's locks, it reads before the commit.
    """
    pids: Future[int] = Future()

    def work() -> T:
        with books.tx() as tx:
            pids.set_result(tx.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
            return second(tx)

    with ThreadPoolExecutor(1) as threads, books.tx() as tx:
        first(tx)
        running = threads.submit(work)
        _until_it_waits_or_ends(books, pids.result(PATIENCE_SECONDS), running)
        tx.flush()
        tx.connection.commit()
        return running.result(PATIENCE_SECONDS)


def _until_it_waits_or_ends(books: Books, pid: int, running: Future[T]) -> None:
    with books.engine.connect() as watching:
        for _ in range(round(PATIENCE_SECONDS / POLL_SECONDS)):
            if wait([running], POLL_SECONDS).done:
                return
            if watching.execute(_WAITS, {"pid": pid}).scalar_one():
                return
            watching.rollback()  # the view is of one moment of a transaction
    raise AssertionError("the second neither ends nor waits")
