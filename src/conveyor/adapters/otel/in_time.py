"""What waits for a network is done in a thread of its own, and nobody waits for it too long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Give what it gives, and raise what it raises.

    A thread of asyncio's own would be waited for at the end of the process, however long it takes;
    this one ends with it.
    """
    ended: Future[T] = Future()
    ended.set_running_or_notify_cancel()  # from now on nobody who stops waiting ends it

    def run() -> None:
        try:
            ended.set_result(work())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised to who waits
            ended.set_exception(error)

    threading.Thread(target=run, name="otel", daemon=True).start()
    return await asyncio.wrap_future(ended)


async def in_time(work: Callable[[], object], seconds: float) -> bool:
    """Do it, and wait for so long at most; gives whether it was done by then."""
    try:
        async with asyncio.timeout(seconds):
            await in_thread(work)
    except TimeoutError:
        return False
    return True
