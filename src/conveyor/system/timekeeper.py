"""Whose time it is: the database server's for all processes, the machine's where there is none.

Read in a transaction of its own, when a system is opened and every so often afterwards, so that
no work waits for it; in between each process carries it on by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import sqlalchemy as sa

from conveyor.adapters.steady_clock import Reading, SteadyClock, machine_ms, since_boot_seconds
from conveyor.core.supervision import wait_for_stop
from conveyor.core.transaction import Database, Tx

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 15.0
_SERVERS_MS = sa.text("SELECT extract(epoch FROM clock_timestamp()) * 1000")

Read = Callable[[], Awaitable[Reading]]
Elapsed = Callable[[], float]


class Timekeeper:
    """Keeps a clock with whatever gives the time."""

    def __init__(self, clock: SteadyClock, read: Read) -> None:
        """Nothing is started; see `run`."""
        self.clock = clock
        self._read = read

    async def run(self, stop: asyncio.Event) -> None:
        """Tell the clock the time every `FOLLOW_SECONDS`, until told to stop."""
        while not stop.is_set():
            await wait_for_stop(stop, FOLLOW_SECONDS)
            if not stop.is_set():
                await self.follow_once()

    async def follow_once(self) -> None:
        """Tell the clock the time; where nobody gives it, the clock goes on by itself."""
        try:
            self.clock.hear(await self._read())
        except Exception as error:  # noqa: BLE001 - whatever it is, others report it
            log.info("the time could not be read now: %s", error)


async def open_timekeeper(database: Database, elapsed: Elapsed = since_boot_seconds) -> Timekeeper:
    """Read the time, and give a clock that has it. Raises what the database raises."""
    if database.dialect == "sqlite":  # in this process: there is no clock but the machine's
        return machine_timekeeper()

    async def read() -> Reading:
        return await database.read(lambda tx: server_reading(tx, elapsed))

    return Timekeeper(SteadyClock(elapsed, await read()), read)


def machine_timekeeper(
    machine: Callable[[], int] = machine_ms, elapsed: Elapsed = since_boot_seconds
) -> Timekeeper:
    """Follow a wall clock that may step."""

    async def read() -> Reading:
        return Reading(machine(), elapsed())

    return Timekeeper(SteadyClock(elapsed, Reading(machine(), elapsed())), read)


def server_reading(tx: Tx, elapsed: Elapsed) -> Reading:
    """Ask the server for the time: it was so about halfway between question and answer."""
    asked = elapsed()
    server_ms = float(tx.execute(_SERVERS_MS).scalar_one())
    return Reading(server_ms, (asked + elapsed()) / 2)
