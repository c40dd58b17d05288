"""Takes all connections that are waiting, each time that there are some.

A loop of its own instead of the event loop's: libuv accepts one connection a turn, so that a loop
whose turns take 30 ms accepts 33 a second, and health checks wait behind everybody else
(https://github.com/libuv/libuv/pull/3696). And a process that has run out of descriptors must get
some back by itself.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import Protocol

log = logging.getLogger(__name__)

AT_ONCE = 128
"""Connections taken in one turn of the loop, so that the open ones have theirs."""
REST_SECONDS = 0.1
"""How long nothing is accepted when there are no descriptors and nobody to take them from."""
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Host(Protocol):
    """Whoever looks after the connections."""

    @property
    def is_full(self) -> bool:
        """Whether a further connection takes the place of another."""
        ...

    def greet(self, connection: socket.socket, address: str) -> asyncio.Protocol | None:
        """Give the protocol of a new connection; None: it was sent away."""
        ...

    def make_room(self) -> bool:
        """Give up some connections; gives whether there were any."""
        ...


class Acceptor:
    """Stands in for an `asyncio.Server` on a socket that listens."""

    def __init__(self, listener: socket.socket, host: Host) -> None:
        """Nothing is accepted yet."""
        self._listener = listener
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False

    def start(self) -> None:
        """Accept from now on."""
        self._listener.settimeout(0)
        self._resume()

    def close(self) -> None:
        """Accept nothing more."""
        self._closed = True
        self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Wait until what was accepted is in its protocol's hands."""
        if self._opening:
            await asyncio.wait(tuple(self._opening))

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            if self._opening and self._host.is_full:
                return  # in the next turn those can be given up, or asked
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                self._make_room(error)
                return
            self._take(connection, address[0])

    def _make_room(self, error: OSError) -> None:
        if not self._host.make_room():
            log.error("no connection can be accepted: %s", error)
            self._loop.remove_reader(self._listener)
            self._loop.call_later(REST_SECONDS, self._resume)

    def _take(self, connection: socket.socket, address: str) -> None:
        protocol = self._host.greet(connection, address)
        if protocol is None:
            return
        connection.settimeout(0)
        opening = self._loop.create_task(self._open(connection, protocol))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket, protocol: asyncio.Protocol) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, connection)
        except OSError:  # it is gone already
            connection.close()
