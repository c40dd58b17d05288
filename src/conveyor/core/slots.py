"""How many calls are under way at once: who finds no slot free waits, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """A semaphore that hands a slot straight to who waits longest.

    The library's looks at everybody who waits whenever one is given back, and a crowd waits here:
    it cost a twentieth of an order.
    """

    def __init__(self, count: int) -> None:
        """All `count` are free."""
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Take a slot, once one is free."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()  # it came in the very moment: the next is to have it
            raise

    def give_back(self) -> None:
        """Give a slot to who waits longest, or free it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
