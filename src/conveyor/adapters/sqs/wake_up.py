"""Ends long polls: with a message of our own, since SQS has no other way that loses nothing.

Where a request is broken off, SQS may still hand messages to it, which nobody can give back: they
are left to their visibility timeout. So whoever stops sends a wake-up, and its poll returns.
Another process may be given it instead: it deletes it, and stands aside for a moment, so that it
is not given the next one too, which is sent soon, until no poll is left. Who takes a wake-up for a
token (an older version, a Lambda function) finds one of no order, and drops it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from conveyor.core.ambient import Ambient
from conveyor.core.message import NO_ORDER, Token, encode
from conveyor.core.queue import Outgoing, Received

log = logging.getLogger(__name__)

AGAIN_SECONDS = 0.1
"""After so long another process is taken to have been given a wake-up."""
ASIDE_SECONDS = 0.5
WAKE_UP = "wake-up"

Send = Callable[[Sequence[Outgoing]], Awaitable[Sequence[int]]]


def is_wake_up(message: Received) -> bool:
    """Say whether a message is no token, but a wake-up for somebody's poll."""
    return NO_ORDER in message.body and WAKE_UP in message.body


class LongPolls:
    """The long polls of this process on one queue, which it can end."""

    def __init__(self, ambient: Ambient, send: Send) -> None:
        """`send` sends to the queue."""
        self._ambient = ambient
        self._send = send
        self._under_way = 0
        self._none = asyncio.Event()
        self._none.set()
        self._ending: asyncio.Task[None] | None = None
        self._ours = False
        """Whether the wake-ups that come now are likely to be our own."""

    def __enter__(self) -> None:
        """One begins."""
        self._under_way += 1
        self._none.clear()
        if not self._is_ending:
            self._ours = False

    def __exit__(self, *_: object) -> None:
        """It has returned."""
        self._under_way -= 1
        if not self._under_way:
            self._none.set()

    async def stand_aside(self) -> None:
        """Let others be given wake-ups, unless they are ours."""
        if not self._ours:
            await asyncio.sleep(ASIDE_SECONDS)

    def end(self) -> None:
        """Let those that are under way return soon, in a task of its own."""
        if self._under_way and not self._is_ending:
            self._ours = True
            self._ending = asyncio.create_task(self._end())

    @property
    def _is_ending(self) -> bool:
        return self._ending is not None and not self._ending.done()

    async def ended(self) -> None:
        """Wait until nothing is sent any more."""
        if self._ending is not None:
            await self._ending

    async def _end(self) -> None:
        # Once none was under way it is over, though the next may have begun by now.
        has_ended = self._none.is_set()
        while not has_ended:
            try:
                await self._send([self._wake_up()])
            except Exception:
                log.warning("polls are not ended early, they run out by themselves", exc_info=True)
                return
            with suppress(TimeoutError):
                has_ended = await asyncio.wait_for(self._none.wait(), AGAIN_SECONDS)

    def _wake_up(self) -> Outgoing:
        # On a FIFO queue each is in a group of its own, or one that is in hand would hide the next.
        one = self._ambient.new_id()
        body = encode(Token(NO_ORDER, WAKE_UP, 1), self._ambient.now_ms())
        return Outgoing(body, group=one, deduplication_id=one)
