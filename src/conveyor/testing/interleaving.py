"""Transactions side by side on a real PostgreSQL, a statement at a time.

Each transaction has a thread of its own, and only one thread runs at any moment: it goes on until
it rests, ends, or waits for a lock that another one holds. How long each rests, in virtual seconds,
comes from the seed; who has to wait for whom comes from the database. So transactions overlap as
they do in life, and the same seed is, but for what the server itself decides, the same life again.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty
from typing import TYPE_CHECKING, Any, TypeVar

from conveyor.adapters.postgres.connections import (
    IDLE_IN_TRANSACTION_TIMEOUT_MS,
    LOCK_TIMEOUT_MS,
)
from conveyor.adapters.postgres.errors import DEADLOCK_DETECTED
from conveyor.testing.loop import OUTSIDE, Owner, ProcessLoop
from conveyor.testing.threaded import KilledError, Transaction

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

LOOK_SECONDS = 0.002
"""Of real time: a statement that takes longer than this may be waiting for a lock."""
THREADS = 64
PACES = (0.0, 0.0, 0.0, 0.005, 0.05, 0.5, 2.0)
"""The most, in virtual seconds, that one transaction rests between two statements."""
CALM_PACES = (0.0, 0.0, 0.005, 0.02)
_WAITING = "SELECT pid, pg_blocking_pids(pid) FROM pg_locks WHERE NOT granted"


class Interleaving:
    """All transactions that are under way, of all processes."""

    def __init__(self, loop: ProcessLoop, watching: psycopg.Connection[Any]) -> None:
        """`watching` looks at the locks, and does what the server does after a time."""
        self._loop = loop
        self._watching = watching
        self._threads = ThreadPoolExecutor(THREADS, "transaction")
        self._here = threading.local()
        self._under_way: dict[Transaction, None] = {}
        self._waiting: dict[Transaction, None] = {}
        self.rng = random.Random()
        self.paces: tuple[float, ...] = PACES
        self.waits = self.deadlocks = 0
        self._changed: Callable[[], None] = lambda: None

    def begin(self, rng: random.Random, changed: Callable[[], None], *, calm: bool) -> None:
        """Begin a story; `changed` is told of each commit that wrote something."""
        self._changed = changed
        self.rng, self.paces = rng, CALM_PACES if calm else PACES
        self.waits = self.deadlocks = 0

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function in a thread, beside the others."""
        future: asyncio.Future[T] = self._loop.create_future()
        transaction = Transaction(future, self.rng.choice(self.paces))
        self._under_way[transaction] = None
        self._threads.submit(self._live, transaction, function, arguments)
        self._follow(transaction)
        return await future

    def _live(
        self, transaction: Transaction, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        self._here.transaction = transaction
        try:
            transaction.result = function(*arguments)
        except BaseException as error:
            transaction.error = error
        transaction.told.put(None)

    # --- in a transaction's thread ----------------------------------------------------------------

    def before_statement(self, connection: Any) -> None:
        """Rest for a while, if it is to."""
        transaction: Transaction | None = getattr(self._here, "transaction", None)
        if transaction is None:
            return
        if transaction.killed:
            raise KilledError
        transaction.pid = connection.info.backend_pid
        transaction.statements += 1
        if transaction.pace and transaction.statements > 1 and self.rng.random() < 0.5:
            transaction.rest(self.rng.random() * transaction.pace)

    def after_statement(self, status: str, rows: int) -> None:
        """Note what was written; who has waited for a lock stands until it is its turn."""
        transaction: Transaction | None = getattr(self._here, "transaction", None)
        if transaction is None:
            return
        if rows and status.startswith(("INSERT", "UPDATE", "DELETE")):
            transaction.wrote = True
        if transaction.stands:
            transaction.stands = False
            transaction.rest(0.0)

    def failed(self, sqlstate: str) -> None:
        """Count what the server has broken off."""
        self.deadlocks += sqlstate == DEADLOCK_DETECTED

    # --- in the loop's thread ---------------------------------------------------------------------

    def _step(self, transaction: Transaction) -> None:
        if transaction in self._under_way:
            transaction.go.release()
            self._follow(transaction)
            self._look_at_who_waits()

    def _follow(self, transaction: Transaction) -> None:
        """Let it go on until it rests, ends, or waits for another one."""
        while True:
            with suppress(Empty):
                rest = transaction.told.get(timeout=LOOK_SECONDS)
                break
            if self._waits(transaction):
                return
        self._waiting.pop(transaction, None)
        if rest is None:
            self._ended(transaction)
        else:
            self._loop.call_later(rest, self._step, transaction, context=transaction.context)

    def _ended(self, transaction: Transaction) -> None:
        self._under_way.pop(transaction, None)
        if transaction.wrote and transaction.error is None:
            self._changed()
        future = transaction.future
        if transaction.killed or future.done():
            return
        if transaction.error is not None:
            future.set_exception(transaction.error)
        else:
            future.set_result(transaction.result)

    def _waits(self, transaction: Transaction) -> bool:
        """Whether it waits for one that rests, so that the others must go on."""
        blocked = self._blocked()
        if transaction.pid not in blocked or _is_deadlock(blocked, transaction.pid):
            return False  # a deadlock is ended by the server, soon, in real time
        transaction.stands = True
        if transaction not in self._waiting:
            self._waiting[transaction] = None
            self.waits += 1
            self._loop.call_later(
                LOCK_TIMEOUT_MS / 1000, self._give_up, transaction, transaction.statements,
                context=OUTSIDE,
            )  # fmt: skip
        return True

    def _look_at_who_waits(self) -> None:
        """Go on with those that a commit has let go."""
        if self._waiting:
            blocked = self._blocked()
            for transaction in list(self._waiting):
                if transaction.pid not in blocked:
                    self._follow(transaction)

    def _blocked(self) -> dict[int, list[int]]:
        return dict(self._watching.execute(_WAITING).fetchall())

    def _give_up(self, transaction: Transaction, statement: int) -> None:
        """Do what `lock_timeout` does, by virtual time."""
        if transaction in self._waiting and transaction.statements == statement:
            self._watching.execute("SELECT pg_cancel_backend(%s)", (transaction.pid,))
            self._follow(transaction)

    def suspended(self, owner: Owner) -> None:
        """A process stands still: in time `idle_in_transaction_session_timeout` is over."""
        for transaction in self._under_way:
            if transaction.owner is owner:
                self._loop.call_later(
                    IDLE_IN_TRANSACTION_TIMEOUT_MS / 1000, self._hang_up, transaction,
                    transaction.statements, context=OUTSIDE,
                )  # fmt: skip

    def _hang_up(self, transaction: Transaction, statement: int) -> None:
        if transaction not in self._under_way or transaction in self._waiting:
            return
        if transaction.statements != statement:
            return
        self._watching.execute("SELECT pg_terminate_backend(%s, 5000)", (transaction.pid,))
        self._look_at_who_waits()

    def kill(self, owner: Owner | None = None) -> None:
        """End the transactions of a process that has died, or all: nothing of them stands."""
        for transaction in list(self._under_way):
            if owner is None or transaction.owner is owner:
                transaction.killed = True
                if transaction in self._waiting:
                    self._watching.execute("SELECT pg_cancel_backend(%s)", (transaction.pid,))
                else:
                    transaction.go.release()
                while transaction.told.get() is not None:
                    transaction.go.release()
                self._under_way.pop(transaction)
                self._waiting.pop(transaction, None)
        self._look_at_who_waits()

    def close(self) -> None:
        """End all threads."""
        self.kill()
        self._threads.shutdown()


def _is_deadlock(blocked: dict[int, list[int]], pid: int) -> bool:
    """Whether it waits, over others, for itself."""
    seen: set[int] = set()
    ahead = list(blocked[pid])
    while ahead:
        one = ahead.pop()
        if one == pid:
            return True
        if one not in seen:
            seen.add(one)
            ahead += blocked.get(one, [])
    return False
