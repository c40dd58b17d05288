"""A long-running process: the API, or some services, or both, until a signal says to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from conveyor.core.errors import ConveyorError
from conveyor.entrypoints.log_lines import write_aside
from conveyor.entrypoints.logs import STANDARD_ERROR
from conveyor.system.composition import App
from conveyor.system.heartbeat import Heartbeat

if TYPE_CHECKING:
    from conveyor.entrypoints.edge.server import Listening

BACKLOG = 2_048
UNSAID_SECONDS = 1
"""How long the kernel keeps a connection that says nothing to itself (tcp(7)).

Those that it hands over can be answered at once: to send one away costs half as much as where
its first bytes are waited for.
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
            server = listening.server(stop, app.settings, beside_services=bool(services))
            serving = tasks.create_task(server.serve(sockets=[listening.socket]))
            await server.ready.wait()
            on_ready()
            await serving
        services_stop.set()
