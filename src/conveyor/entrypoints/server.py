"""A long-running process: the API, or some services, or both, until a signal says to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import cast

import uvicorn
from starlette.applications import Starlette

from conveyor.core.errors import ConveyorError
from conveyor.core.supervision import wait_for_stop
from conveyor.entrypoints.edge.acceptor import Acceptor
from conveyor.entrypoints.edge.admission import ALONE, BESIDE_SERVICES, Admission
from conveyor.entrypoints.edge.connections import Connections
from conveyor.entrypoints.edge.figures import Figures
from conveyor.entrypoints.edge.limits import limits_of
from conveyor.entrypoints.log_lines import write_aside
from conveyor.entrypoints.logs import STANDARD_ERROR
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.heartbeat import Heartbeat

BACKLOG = 2_048
UNSAID_SECONDS = 1
"""How long the kernel keeps a connection that says nothing to itself (tcp(7)).

Those that it hands over can be answered at once: to send one away costs half as much as where
its first bytes are waited for.
"""
TICK_SECONDS = 1.0
"""How often the `Date` header is brought up to date and slow connections are ended.

It is all that a server does while idle.
"""
FORCED_EXIT = 130
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class AddressInUseError(ConveyorError):
    """The address to listen on cannot be had: another process may have it."""

    def __init__(self, host: str, port: int, cause: str) -> None:
        super().__init__(f"cannot listen on {host}:{port}: {cause}")
        self.host = host
        self.port = port
        self.cause = cause


def listening_on(inherited: int) -> socket.socket:
    """Take over an address that the parent process listens on, by its file's number."""
    return socket.socket(fileno=inherited)


def listen(host: str, port: int) -> socket.socket:
    """Take the address; port 0 takes any that is free. Raises `AddressInUseError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        cause = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise AddressInUseError(host, port, str(cause)) from error
    # Head and body of an answer are two packets, and clients acknowledge the first 40 ms later.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_DEFER_ACCEPT"):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, UNSAID_SECONDS)
    return listener


def url_of(listener: socket.socket) -> str:
    """Give the address as clients on this machine use it."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - not bound here, only spelled as loopback
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@dataclass(frozen=True, slots=True)
class Listening:
    """An application and the socket that it is to answer on.

    It `is_api` where it takes orders, and not only tells of its process.
    """

    api: Starlette
    socket: socket.socket
    is_api: bool = True


class _Server(uvicorn.Server):
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


@contextlib.contextmanager
def stop_on_signals(stop: asyncio.Event, *, told: bool = True) -> Iterator[Callable[[], None]]:
    """Set `stop` at the first SIGINT or SIGTERM; a second one ends the process at once.

    That is safe at any moment: it is the crash that the whole system is made for. Gives what does
    so, for whoever else may ask. It is `told` on standard error.
    """
    loop = asyncio.get_running_loop()

    def ask() -> None:
        if stop.is_set():
            write_aside(STANDARD_ERROR, "Stopped at once; nothing is lost.")
            os._exit(FORCED_EXIT)
        if told:
            write_aside(STANDARD_ERROR, "Stopping: what is under way is finished first.")
        stop.set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, ask)
    try:
        yield ask
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


async def run_until(
    stop: asyncio.Event,
    app: App,
    services: Collection[str],
    listening: Listening | None,
    on_ready: Callable[[], None],
) -> None:
    """Serve and work until `stop` is set; requests are finished first, then the services."""
    services_stop = asyncio.Event()
    serves_api = listening is not None and listening.is_api
    beating = Heartbeat(app.engine, services, serves_api=serves_api).run
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(app.run(services, services_stop))
        tasks.create_task(app.engine.supervisor.keep("heartbeat", beating, services_stop))
        if listening is None:
            on_ready()
            await stop.wait()
        else:
            listening.api.state.stopping = stop  # for answers that would else go on for ever
            server = _Server(listening, stop, app.settings, BESIDE_SERVICES if services else ALONE)
            serving = tasks.create_task(server.serve(sockets=[listening.socket]))
            await server.ready.wait()
            on_ready()
            await serving
        services_stop.set()
