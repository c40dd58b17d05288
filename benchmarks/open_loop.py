"""A crowd that places orders whenever it likes, and does not wait for the server to catch up.

    python -m benchmarks.open_loop URL KEY RATE SECONDS IDS [--new-connections]
    python -m benchmarks.open_loop URL KEY NUMBER SECONDS IDS --at-once

Orders are due at random moments (a Poisson process) at a given rate, whatever has been answered.
An answer's time counts from the moment when its order was due, so that a server that stalls cannot
hide it by being asked less (https://www.scylladb.com/2021/04/22/on-coordinated-omission/).
It prints what came of it as JSON, and writes the ids of the orders that were accepted to the file
IDS; a process of its own, it shares no interpreter with a server.
"""

import argparse
import asyncio
import json
import random
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop
from benchmarks.cdnow import bodies

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
CLOSE = b"connection: close"
RETRY = b"retry-after:"
SEED = 20
BODIES = 1_000
PATIENCE_SECONDS = 60.0
"""How long answers are waited for after the last order was due."""
LOOK_SECONDS = 0.1
TURN_SECONDS = 0.001


@dataclass
class Offered:
    """What came of it: times in milliseconds, of each status the shortest first."""

    times: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    ids: list[str] = field(default_factory=list)
    broken: int = 0
    """Connections that ended, or could not be had, before their answer was there."""
    unanswered: int = 0
    without_retry_after: int = 0
    connections: int = 0
    late_ms: float = 0.0
    """How late the crowd itself was at worst: more than some milliseconds is its own fault."""

    def quantile(self, part: float, *statuses: int) -> float:
        """Give the time that this part of the answers with these statuses did not exceed."""
        times = sorted(it for status in statuses for it in self.times.get(status, ()))
        return times[min(len(times) - 1, int(len(times) * part))] if times else 0.0

    def count(self, *statuses: int) -> int:
        """Count the answers with these statuses."""
        return sum(len(self.times.get(status, ())) for status in statuses)


class Crowd:
    """Places orders at one server, over as many connections as are needed at a time.

    With `new_connections` each order has one of its own.
    """

    def __init__(
        self, url: str, key: str, bodies: Sequence[bytes], *, new_connections: bool = False
    ) -> None:
        address = urlsplit(url)
        self._host, self._port = str(address.hostname), int(address.port or 80)
        self._new = new_connections
        head = (
            "POST /v1/orders HTTP/1.1\r\n"
            f"Host: {address.netloc}\r\n"
            f"Authorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\n"
            + ("Connection: close\r\n" if new_connections else "")
        )
        self._requests = [f"{head}Content-Length: {len(b)}\r\n".encode() for b in bodies]
        self._bodies = bodies
        self._idle: list[_Connection] = []
        self._open = 0
        self.offered = Offered()

    async def offer(self, rate: float, seconds: float, name: str) -> Offered:
        """Place orders at that rate for so long; `name` makes their idempotency keys new."""
        chance, loop = random.Random(SEED), asyncio.get_running_loop()
        begun, number = loop.time(), 0
        due = chance.expovariate(rate)
        while due < seconds:
            now = loop.time() - begun
            while due <= min(now, seconds):
                self.offered.late_ms = max(self.offered.late_ms, (now - due) * 1000)
                self._place(self._request(number, name), begun + due)
                number += 1
                due += chance.expovariate(rate)
            await asyncio.sleep(TURN_SECONDS)
        return await self._end()

    async def saturate(self, at_once: int, seconds: float, name: str) -> Offered:
        """Keep so many orders under way for so long: as a crowd does that waits for answers."""
        loop, number = asyncio.get_running_loop(), 0
        until = loop.time() + seconds
        while loop.time() < until:
            while self._open < at_once:
                self._place(self._request(number, name), loop.time())
                number += 1
            await asyncio.sleep(TURN_SECONDS)
        return await self._end()

    async def _end(self) -> Offered:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + PATIENCE_SECONDS
        while self._open and loop.time() < give_up:  # noqa: ASYNC110 - one loop, nothing to signal
            await asyncio.sleep(LOOK_SECONDS)
        self.offered.unanswered = self._open
        for connection in self._idle:
            connection.transport.close()
        for times in self.offered.times.values():
            times.sort()
        return self.offered

    def _place(self, request: bytes, due: float) -> None:
        self._open += 1
        if self._idle and not self._new:
            self._idle.pop().ask(request, due)
        else:
            connecting = asyncio.ensure_future(self._connect(request, due))
            _running.add(connecting)
            connecting.add_done_callback(_running.discard)

    async def _connect(self, request: bytes, due: float) -> None:
        self.offered.connections += 1
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: _Connection(self), self._host, self._port
            )
        except OSError:
            self.broke()
        else:
            connection.ask(request, due)

    def _request(self, number: int, name: str) -> bytes:
        at = number % len(self._bodies)
        return b"%bIdempotency-Key: %b-%d\r\n\r\n%b" % (
            self._requests[at],
            name.encode(),
            number,
            self._bodies[at],
        )

    def broke(self) -> None:
        """Count an order that got no answer."""
        self._open -= 1
        self.offered.broken += 1

    def answered(self, connection: "_Connection", head: bytes, body: bytes, due: float) -> None:
        """Take an answer down."""
        self._open -= 1
        status = int(head[9:12])
        self.offered.times[status].append((asyncio.get_running_loop().time() - due) * 1000)
        if status == HTTPStatus.ACCEPTED:
            self.offered.ids.append(json.loads(body)["id"])
        elif RETRY not in head:
            self.offered.without_retry_after += 1
        if self._new or CLOSE in head:
            connection.transport.close()
        else:
            self._idle.append(connection)

    def gone(self, connection: "_Connection") -> None:
        """Forget a connection that the server has closed."""
        if connection in self._idle:
            self._idle.remove(connection)


_running: set[asyncio.Future[None]] = set()


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._due: float | None = None
        self._seen = b""

    def ask(self, request: bytes, due: float) -> None:
        self._due = due
        self.transport.write(request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, found, body = self._seen.partition(HEAD_END)
        if not found or self._due is None:
            return
        head = head[:12] + head[12:].lower()
        length = head.partition(LENGTH)[2].partition(b"\r\n")[0]
        if len(body) >= int(length):
            due, self._due, self._seen = self._due, None, b""
            self._crowd.answered(self, head, body, due)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._due is not None:
            self._due = None
            self._crowd.broke()
        self._crowd.gone(self)


def summary(offered: Offered) -> dict[str, Any]:
    """Give the figures as JSON takes them."""
    accepted = (HTTPStatus.ACCEPTED,)
    refused = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
    return {
        "statuses": {str(status): len(times) for status, times in sorted(offered.times.items())},
        "broken": offered.broken,
        "unanswered": offered.unanswered,
        "without_retry_after": offered.without_retry_after,
        "connections": offered.connections,
        "late_ms": round(offered.late_ms, 1),
        **{f"accepted_p{p}_ms": round(offered.quantile(p / 100, *accepted), 1) for p in (50, 99)},
        **{f"refused_p{p}_ms": round(offered.quantile(p / 100, *refused), 1) for p in (50, 99)},
        "longest_ms": round(max((t[-1] for t in offered.times.values()), default=0.0), 1),
    }


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("rate", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("ids", type=Path)
    parser.add_argument("--new-connections", action="store_true")
    parser.add_argument("--at-once", action="store_true")
    asked = parser.parse_args()
    crowd = Crowd(asked.url, asked.key, bodies(BODIES), new_connections=asked.new_connections)
    name = uuid.uuid4().hex
    if asked.at_once:
        work = crowd.saturate(round(asked.rate), asked.seconds, name)
    else:
        work = crowd.offer(asked.rate, asked.seconds, name)
    offered = uvloop.run(work)
    asked.ids.write_text("\n".join(offered.ids), encoding="ascii")
    print(json.dumps(summary(offered)))


if __name__ == "__main__":
    main()
