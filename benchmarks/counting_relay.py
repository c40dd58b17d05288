"""A relay before a database server that counts the bytes in both directions."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from tests.servers.process import HOST

CHUNK = 65_536


class Relay:
    """Passes on what comes; `bytes` is what has passed, both ways together."""

    def __init__(self, port: int) -> None:
        self.bytes = 0
        self._port = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one client through."""
        theirs, to_them = await asyncio.open_connection(HOST, self._port)
        await asyncio.gather(self._pass(reader, to_them), self._pass(theirs, writer))

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(CHUNK):
                self.bytes += len(data)
                target.write(data)
                await target.drain()
        with suppress(ConnectionError):
            target.close()


@contextmanager
def counting_relay(url: str) -> Iterator[tuple[str, Relay]]:
    """Give the URL of a database by way of a relay, and the relay."""
    parts = urlsplit(url)
    relay = Relay(parts.port or 5_432)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(relay.serve, HOST, 0))
    port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    there = parts._replace(netloc=f"{parts.username}@{HOST}:{port}")
    try:
        yield urlunsplit(there), relay
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
