"""Our database as the audit reads it: some looks at once, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from conveyor.core.transaction import ReadDatabase, Tx

T = TypeVar("T")

LOOKS_AT_ONCE = 2
"""So that the database works while we do; most of its connections stay free for others."""


class Examined:
    """A database that is looked at, all together at so many places at once."""

    def __init__(self, database: ReadDatabase, primary: ReadDatabase | None = None) -> None:
        """Nothing is read yet. `primary`: where it is written, if `database` lags behind that."""
        self._database = database
        self._primary = primary or database
        self._places = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one committed state."""
        async with self._places:
            return await self._database.examine(work)

    async def read_now(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on what is committed by now: what may have changed is looked at again."""
        async with self._places:
            return await self._primary.examine(work)
