"""What the audit needs of a database: some looks at once, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from conveyor.messaging.transaction import Database, Tx

T = TypeVar("T")

LOOKS_AT_ONCE = 2
"""So that the database works while we do; most of its connections stay free for others."""


class Examined:
    """Databases that are looked at, all together at so many places at once."""

    def __init__(self, database: Database, ledger: Database) -> None:
        """`ledger` is that of the simulated counterparts."""
        self._database = database
        self._ledger = ledger
        self._places = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def ours(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one committed state of our own database."""
        async with self._places:
            return await self._database.examine(work)

    async def theirs(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one committed state of the counterparts' ledger."""
        async with self._places:
            return await self._ledger.examine(work)
