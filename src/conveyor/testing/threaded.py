"""A transaction in a thread of its own, which goes on when it is told to."""

from __future__ import annotations

import asyncio
import threading
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any

from conveyor.testing.loop import OWNER, Owner


class KilledError(BaseException):
    """The process of this transaction is dead: nothing of it goes on."""


class Transaction:
    """A function that runs in a transaction, in a thread of its own."""

    def __init__(self, future: asyncio.Future[Any], pace: float) -> None:
        self.future = future
        self.pace = pace
        self.owner: Owner | None = OWNER.get()
        self.context: Context = copy_context()
        self.go = threading.Semaphore(0)
        self.told: SimpleQueue[float | None] = SimpleQueue()
        """How long it rests now; None: it has ended."""
        self.result: Any = None
        self.error: BaseException | None = None
        self.pid = 0
        """The server's process that works for it."""
        self.stands = False
        """It waits for a lock; once it has it, it goes on when it is its turn."""
        self.killed = False
        self.statements = 0
        self.wrote = False

    def rest(self, seconds: float) -> None:
        """Let the others have a turn; in its own thread."""
        self.told.put(seconds)
        self.go.acquire()
        if self.killed:
            raise KilledError
