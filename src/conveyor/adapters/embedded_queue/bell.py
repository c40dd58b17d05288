"""What a long poll sleeps on: it wakes at once when a message may have become visible."""

from __future__ import annotations

import asyncio


class Bell:
    """Wakes all who wait. A ring that nobody waits for is forgotten, so look first, then wait."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[bool]] = set()

    async def wait(self, seconds: float) -> bool:
        """Sleep until the bell rings, at most `seconds`; False when there is no use in looking."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(seconds, _settle, future, True)  # noqa: FBT003 - the answer itself
        self._waiting.add(future)
        try:
            return await future
        finally:
            timer.cancel()
            self._waiting.discard(future)

    def ring(self) -> None:
        """Let everybody look again."""
        self._answer(look=True)

    def dismiss(self) -> None:
        """Send everybody away with nothing."""
        self._answer(look=False)

    def _answer(self, *, look: bool) -> None:
        for future in self._waiting:
            _settle(future, look)


def _settle(future: asyncio.Future[bool], look: bool) -> None:  # noqa: FBT001 - for call_later
    if not future.done():
        future.set_result(look)
