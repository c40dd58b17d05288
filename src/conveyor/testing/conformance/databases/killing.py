"""A process that writes as fast as it goes, and is killed."""

from __future__ import annotations

import asyncio
import multiprocessing
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection

from conveyor.testing.conformance.databases.under_test import (
    DatabaseUnderTest,
    make_counters,
    putting,
)

WRITERS = 8
PATIENCE_SECONDS = 30.0


def returned_before_a_kill(place: DatabaseUnderTest, writes: int) -> list[str]:
    """Let a process write, and kill it after so many; gives those that returned, and maybe more."""
    spawn = multiprocessing.get_context("spawn")
    told, telling = spawn.Pipe(duplex=False)
    child = spawn.Process(target=write_until_killed, args=(place, telling))
    child.start()
    telling.close()  # so that the child's death ends what is told
    said: list[str] = []
    with told:
        try:
            while len(said) < writes:
                assert told.poll(PATIENCE_SECONDS), f"only {len(said)} writes returned"
                said.append(told.recv())
        finally:
            child.kill()
        with suppress(EOFError, OSError):  # the last word may be half said
            while True:
                said.append(told.recv())
    child.join()
    return said


def write_until_killed(place: DatabaseUnderTest, telling: Connection) -> None:
    """Write from several tasks, and tell which writes have returned."""
    asyncio.run(_write(place, telling))


async def _write(place: DatabaseUnderTest, telling: Connection) -> None:
    database = place.open()
    await database.run(make_counters)
    names = count()

    async def write() -> None:
        while True:
            name = f"row-{next(names)}"
            await database.run(putting(name))
            telling.send(name)

    await asyncio.gather(*(write() for _ in range(WRITERS)))
