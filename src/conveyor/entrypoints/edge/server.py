"""The HTTP server: uvicorn's, behind our own doors.

In a module of its own, which `work` without an API never imports: nor uvicorn, nor FastAPI.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import uvicorn
from starlette.applications import Starlette

from conveyor.core.supervision import wait_for_stop
from conveyor.entrypoints.edge.acceptor import Acceptor
from conveyor.entrypoints.edge.admission import ALONE, BESIDE_SERVICES, Admission
from conveyor.entrypoints.edge.connections import Connections
from conveyor.entrypoints.edge.figures import Figures
from conveyor.entrypoints.edge.limits import limits_of
from conveyor.settings import Settings

TICK_SECONDS = 1.0
"""How often the `Date` header is brought up to date and slow connections are ended.

It is all that a server does while idle.
"""


@dataclass(frozen=True, slots=True)
class Listening:
    """An application and the socket that it is to answer on.

    It `is_api` where it takes orders, and not only tells of its process.
    """

    api: Starlette
    socket: socket.socket
    is_api: bool = True

    def server(self, stop: asyncio.Event, settings: Settings, *, beside_services: bool) -> Server:
        """Give the server of it, which serves until `stop` is set."""
        return Server(self, stop, settings, BESIDE_SERVICES if beside_services else ALONE)


class Server(uvicorn.Server):
    """Uvicorn, told to stop by an event instead of by signals and a clock that ticks."""

    def __init__(
        self, listening: Listening, stop: asyncio.Event, settings: Settings, a_turn: int
    ) -> None:
        limits, figures = limits_of(settings), Figures()
        listening.api.state.figures = figures  # which the metrics tell
        admission = Admission(listening.api, settings.patience_seconds, figures, a_turn)
        super().__init__(
            uvicorn.Config(
                admission,
                loop="none",
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=settings.idle_seconds,
                proxy_headers=bool(limits.trusted),
                forwarded_allow_ips=list(limits.trusted),
                timeout_graceful_shutdown=round(settings.grace_seconds),
            )
        )
        self.config.load()
        self.ready = asyncio.Event()
        self._connections = Connections(limits, admission, self.config, self.server_state)
        self._listener = listening.socket
        self._stop = stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `stop_on_signals`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's
        """Accept connections ourselves."""
        acceptor = Acceptor(self._listener, self._connections)
        acceptor.start()
        self.servers = cast("list[asyncio.Server]", [acceptor])  # as far as uvicorn asks
        self.started = True

    async def main_loop(self) -> None:
        """Serve until told to stop."""
        await self.on_tick(0)
        self.ready.set()
        while not self._stop.is_set():
            await wait_for_stop(self._stop, TICK_SECONDS)
            await self.on_tick(0)
            self._connections.check()
        self._connections.close()
