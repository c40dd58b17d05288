"""What runs with an API: `up`, `serve`, and whatever runs the whole system while it lasts."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from socket import socket

from conveyor.access.model import LocalKey, new_local_key
from conveyor.core.errors import DataDirectoryInUseError
from conveyor.core.rfc3339 import iso
from conveyor.core.supervision import Loop
from conveyor.entrypoints import server_file
from conveyor.entrypoints.console import Links, add_console
from conveyor.entrypoints.edge.server import Listening
from conveyor.entrypoints.http.application import create_http
from conveyor.entrypoints.logs import leave_orders_out
from conveyor.entrypoints.process import Announce, Ready, opened, run
from conveyor.entrypoints.server import listen, run_until, url_of
from conveyor.entrypoints.server_file import ServerFile
from conveyor.operations.keys import create_first_key
from conveyor.operations.missing_flows import missing_flows
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.opening import open_app, running_app

LOOPBACK = "127.0.0.1"
FIRST_KEY_LABEL = "made by the first `conveyor up`"


async def run_up(
    settings: Settings,
    host: str,
    port: int,
    announce: Announce,
    beside: Callable[[App], Loop] | None = None,
) -> None:
    """Run everything until a signal, and `beside` it a loop of the caller's.

    Raises `DataDirectoryInUseError`, `AddressInUseError`.
    """
    owner = server_file.find(settings.data)
    if owner is not None:
        raise DataDirectoryInUseError(str(settings.data), f"process {owner.pid}, at {owner.url}")
    with listen(host, port) as listener:
        async with opened(settings) as app:
            first_key = await _first_key(app)
            local = new_local_key(
                secrets.token_bytes, settings.intake_merchant, app.installed.scopes
            )
            data = str(settings.directory.absolute()) if settings.database_path else ""
            missing = await missing_flows(app.engine)
            url, links = url_of(listener), Links(app.parts.ambient, secrets.token_bytes)
            ready = Ready(app.installed.services, url, links.new(url), first_key, data, missing)
            try:
                listening = _listening(app, listener, local, links)
                await run(
                    app,
                    ready.services,
                    listening,
                    lambda: _say(app, ready, local, announce),
                    beside=beside(app) if beside else None,
                )
            finally:
                server_file.remove(settings.data, os.getpid())


@asynccontextmanager
async def running_here(settings: Settings) -> AsyncIterator[App]:
    """Run the whole system in this process; other commands of this machine can look meanwhile.

    Should a service break, the body is cancelled and what broke it is raised.
    """
    leave_orders_out(settings)
    if settings.database_path is None:
        async with running_app(settings, traced=True) as app:
            yield app
        return
    with listen(LOOPBACK, 0) as listener:
        app = await open_app(settings, traced=True)
        try:
            await app.require_queues()
            async with _looked_at(app, listener):
                yield app
        finally:
            await app.close()


@asynccontextmanager
async def _looked_at(app: App, listener: socket) -> AsyncIterator[None]:
    local = new_local_key(secrets.token_bytes, app.settings.intake_merchant, app.installed.scopes)
    services, listening = app.installed.services, _listening(app, listener, local)
    stop, ready, body = asyncio.Event(), asyncio.Event(), asyncio.current_task()
    running = asyncio.create_task(run_until(stop, app, services, listening, ready.set))
    running.add_done_callback(lambda _: stop.is_set() or (body and body.cancel()))
    try:
        await ready.wait()
        _sign(app, url_of(listener), local)
        yield
    finally:
        server_file.remove(app.settings.data, os.getpid())
        stop.set()
        await running


async def run_serve(
    settings: Settings, listener: socket, announce: Announce, *, parent: bool = False
) -> None:
    """Run the API alone until a signal, or until the `parent` dies."""
    async with opened(settings) as app:
        ready = Ready((), url_of(listener), missing_flows=await missing_flows(app.engine))
        listening = _listening(app, listener, None)
        await run(app, (), listening, lambda: announce(ready), parent=parent)


async def _first_key(app: App) -> str:
    """Make a key if there is none; gives its text, or ''."""
    return await create_first_key(
        app.engine,
        secrets.token_bytes,
        merchant=app.settings.intake_merchant,
        scopes=app.installed.scopes,
        label=FIRST_KEY_LABEL,
    )


def _listening(
    app: App, listener: socket, local: LocalKey | None, links: Links | None = None
) -> Listening:
    http = create_http(app, local=local)
    add_console(http, links or Links(app.parts.ambient, secrets.token_bytes))
    return Listening(http, listener)


def _say(app: App, ready: Ready, local: LocalKey, announce: Announce) -> None:
    _sign(app, ready.url, local)
    announce(ready)


def _sign(app: App, url: str, local: LocalKey) -> None:
    started = iso(app.parts.ambient.now_ms())
    server_file.write(app.settings.data, ServerFile(url, os.getpid(), local.text, started))
