"""A crowd that places orders whenever it likes, and does not wait for the server to catch up.

Orders are due at random moments (a Poisson process) at a given rate, whatever has been answered.
An answer's time counts from the moment when its order was due, so that a server that stalls cannot
hide it by being asked less (https://www.scylladb.com/2021/04/22/on-coordinated-omission/).
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
SEED = 20

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Offered:
    """What came of it: times in milliseconds, shortest first, and answers other than 202."""

    times: Sequence[float]
    not_accepted: int
    connections: int

    def quantile(self, part: float) -> float:
        """Give the time that this part of the answers did not exceed."""
        return self.times[min(len(self.times) - 1, int(len(self.times) * part))]


class Crowd:
    """Places orders at one server, over as many connections as are needed at a time."""

    def __init__(self, url: str, key: str, bodies: Sequence[bytes]) -> None:
        self._address = urlsplit(url)
        self._key = key
        self._bodies = bodies
        self._idle: list[Connection] = []
        self._connections = 0

    async def offer(self, rate: float, seconds: float, name: str) -> Offered:
        """Place orders at that rate for so long; `name` makes their idempotency keys new."""
        chance = random.Random(SEED)
        begun, due = time.monotonic(), 0.0
        requests: list[asyncio.Task[tuple[float, int]]] = []
        while (due := due + chance.expovariate(rate)) < seconds:
            await asyncio.sleep(max(0.0, begun + due - time.monotonic()))
            request = self._request(len(requests), name)
            requests.append(asyncio.create_task(self._place(request, begun + due)))
        answers = await asyncio.gather(*requests)
        self._close()
        times = sorted(milliseconds for milliseconds, _ in answers)
        refused = sum(status != HTTPStatus.ACCEPTED for _, status in answers)
        return Offered(times, refused, self._connections)

    async def _place(self, request: bytes, due: float) -> tuple[float, int]:
        connection = self._open_one() or await self._connect()
        reader, writer = connection
        writer.write(request)
        head = await reader.readuntil(HEAD_END)
        await reader.readexactly(_length(head))
        milliseconds = (time.monotonic() - due) * 1000
        self._idle.append(connection)
        return milliseconds, int(head.split(b" ", 2)[1])

    def _open_one(self) -> Connection | None:
        """Give an idle connection; those that the server has closed meanwhile are let go."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    async def _connect(self) -> Connection:
        self._connections += 1
        return await asyncio.open_connection(self._address.hostname, self._address.port)

    def _request(self, number: int, name: str) -> bytes:
        body = self._bodies[number % len(self._bodies)]
        head = (
            "POST /v1/orders HTTP/1.1\r\n"
            f"Host: {self._address.netloc}\r\n"
            f"Authorization: Bearer {self._key}\r\n"
            f"Idempotency-Key: {name}-{number}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line.removeprefix(LENGTH)) for line in lines if line.startswith(LENGTH))
