"""Opens a system as its settings say, and runs it."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager

from conveyor.adapters.steady_clock import since_boot_seconds
from conveyor.core.ambient import Ambient, Clock
from conveyor.settings import Settings
from conveyor.system.backends import open_database, open_queues, open_replica
from conveyor.system.composition import App
from conveyor.system.installation import installation
from conveyor.system.parts import Parts
from conveyor.system.tables import bring_up_to_date
from conveyor.system.timekeeper import open_timekeeper
from conveyor.system.tracers import open_tracer


@asynccontextmanager
async def running_app(
    settings: Settings, services: Collection[str] | None = None, *, traced: bool = False
) -> AsyncIterator[App]:
    """Open a system, run these services of it (or all), and stop them cleanly at the end.

    Should a service break, the body is cancelled and what broke it is raised.
    """
    app = await open_app(settings, traced=traced)
    try:
        await app.require_queues()
        stop = asyncio.Event()
        body = asyncio.current_task()
        wanted = app.installed.services if services is None else services
        running = asyncio.create_task(app.run(wanted, stop))
        running.add_done_callback(lambda _: stop.is_set() or (body and body.cancel()))
        try:
            yield app
        finally:
            stop.set()
            await running
    finally:
        await app.close()


async def open_app(settings: Settings, *, traced: bool = False) -> App:
    """Open a system without running anything of it; an embedded one is migrated first.

    It is `traced` where the environment asks for traces: what sets orders in motion is.

    Raises `SettingError`, `SchemaNotCurrentError`, and what the backends raise.
    """
    async with AsyncExitStack() as opened:
        installed = installation(settings)
        database = open_database(settings)
        opened.push_async_callback(database.close)
        replica = open_replica(settings)
        if replica is not None:
            opened.push_async_callback(replica.close)
        await bring_up_to_date(database, installed)
        timekeeper = await open_timekeeper(database)
        ambient = ambient_of(timekeeper.clock)
        queues = open_queues(settings, installed.queues, ambient)
        opened.push_async_callback(queues.close)
        tracer = open_tracer(os.environ) if traced else None
        if tracer is not None:
            opened.push_async_callback(tracer.close)
        parts = Parts(
            ambient,
            database,
            queues,
            timekeeper,
            is_named=True,
            replica=replica,
            tracer=tracer,
        )
        app = App(settings, parts, installed)
        opened.push_async_callback(app.ports.close)
        await app.open()
        opened.pop_all()
        return app


def ambient_of(clock: Clock) -> Ambient:
    """Give this clock, with the machine's own steady source and random numbers."""
    rng = random.Random()  # noqa: S311 - jitter and ids, no secrets
    return Ambient(clock, rng, since_boot_seconds)
