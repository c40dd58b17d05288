"""Pushes the figures of a process to a collector while it runs, and once more at its end."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from conveyor.core.outage import surviving
from conveyor.core.supervision import wait_for_stop
from conveyor.system.figures_push import FiguresPush, open_figures_push

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from conveyor.entrypoints.http.metrics import Metrics
    from conveyor.system.composition import App

log = logging.getLogger(__name__)

LOOP = "push of figures"
LAST_SECONDS = 3.0
"""How long a process that stops waits for the collector."""


@asynccontextmanager
async def pushing(app: App, http: Starlette | None) -> AsyncIterator[None]:
    """Push what `http` tells at /metrics, where OpenTelemetry's variables ask for it.

    None: nobody can ask this process. Raises `SettingError`.
    """
    push = open_figures_push(os.environ, app.parts.ambient.now_ms())
    if push is None:
        yield
        return
    from conveyor.entrypoints.http.health_alone import create_health
    from conveyor.entrypoints.http.metrics import metrics_of

    metrics = metrics_of(http or create_health(app))
    figures, stop = _Figures(app, metrics, push), asyncio.Event()
    pushed = asyncio.create_task(app.engine.supervisor.keep(LOOP, figures.run, stop))
    try:
        yield
    finally:
        stop.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await pushed
                with surviving(log, "the last figures could not be pushed"):
                    await figures.push()
        push.close()


class _Figures:
    def __init__(self, app: App, metrics: Metrics, push: FiguresPush) -> None:
        self._ambient = app.parts.ambient
        self._metrics = metrics
        self._push = push

    async def run(self, stop: asyncio.Event) -> None:
        await wait_for_stop(stop, self._push.interval_seconds)
        while not stop.is_set():
            await self.push()
            await wait_for_stop(stop, self._push.interval_seconds)

    async def push(self) -> None:
        await self._push.send(await self._metrics.families(), self._ambient.now_ms())
