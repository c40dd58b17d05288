"""What runs for long: opened, announced, and closed again whatever happens; and `work`.

Nothing here imports FastAPI, for which a process without an API has no use: `serving` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from socket import socket
from typing import TYPE_CHECKING

from conveyor.core.errors import ConveyorError
from conveyor.core.supervision import Loop
from conveyor.entrypoints.fleet import stop_without_parent
from conveyor.entrypoints.logs import write_logs
from conveyor.entrypoints.pushing import pushing
from conveyor.entrypoints.server import run_until, stop_on_signals, url_of
from conveyor.operations.missing_flows import missing_flows
from conveyor.settings import EMBEDDED, Settings
from conveyor.system.composition import App
from conveyor.system.opening import open_app

if TYPE_CHECKING:
    from conveyor.entrypoints.edge.server import Listening

BESIDE = "what runs beside"


class OneProcessError(ConveyorError):
    """An embedded database or queue has one owner: its parts cannot be separate processes."""

    def __init__(self) -> None:
        super().__init__(
            "an embedded database and queue are owned by one process: run `conveyor up`, or set "
            "CONVEYOR_DATABASE_URL=postgresql://... and CONVEYOR_QUEUE_URL=sqs://..."
        )


@dataclass(frozen=True, slots=True)
class Ready:
    """What a process says once it is ready.

    `url` is '' without an API, `data` where the database is no file; `missing_flows` counts the
    open orders that nobody here can move on. `console` is a link that signs in once, where there is
    a local key; `metrics` is where a process without an API tells its figures, if it does.
    """

    services: tuple[str, ...]
    url: str = ""
    console: str = ""
    first_key: str = ""
    data: str = ""
    missing_flows: Mapping[str, int] = field(default_factory=dict)
    metrics: str = ""


Announce = Callable[[Ready], None]


async def run_work(
    settings: Settings,
    services: Collection[str],
    listener: socket | None,
    announce: Announce,
    *,
    parent: bool = False,
) -> None:
    """Run services without an API until a signal, or until the `parent` dies.

    What `listener` is, if any, tells whoever asks of this process, and of nothing else.
    """
    async with opened(settings) as app:
        told_at = f"{url_of(listener)}/metrics" if listener else ""
        missing = await missing_flows(app.engine)
        ready = Ready(tuple(services), metrics=told_at, missing_flows=missing)
        listening = _telling(app, listener) if listener else None
        await run(app, services, listening, lambda: announce(ready), parent=parent)


def _telling(app: App, listener: socket) -> Listening:
    # Imported for whoever is asked alone: most workers are not.
    from conveyor.entrypoints.edge.server import Listening
    from conveyor.entrypoints.http.health_alone import create_health

    return Listening(create_health(app), listener, is_api=False)


async def run(
    app: App,
    services: Collection[str],
    listening: Listening | None,
    on_ready: Callable[[], None],
    *,
    parent: bool = False,
    beside: Loop | None = None,
) -> None:
    """Run services, answer on what is `listening`, and run `beside` it, until a signal."""
    stop = asyncio.Event()
    with stop_on_signals(stop, told=not parent) as ask:
        if parent:
            stop_without_parent(ask)
        async with pushing(app, listening.api if listening else None), asyncio.TaskGroup() as tasks:
            if beside is not None:
                tasks.create_task(app.engine.supervisor.keep(BESIDE, beside, stop))
            await run_until(stop, app, services, listening, on_ready)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[App]:
    """Open a system whose log and traces are written, and whose queues are there."""
    write_logs(settings)
    app = await open_app(settings, traced=True)
    try:
        await app.require_queues()
        yield app
    finally:
        await app.close()


def require_shared(settings: Settings) -> None:
    """Raise `OneProcessError` where there can be but one process."""
    if settings.database_path is not None or settings.queue_url.startswith(EMBEDDED):
        raise OneProcessError
