"""Sends requests away at once that would have to wait too long: before anybody looks at them.

A request is taken while the oldest that waits has not waited for long, and while not too many do.
How many that may be is found out as TCP does it: a little more while answers come soon, a good part
less when one took too long
(https://en.wikipedia.org/wiki/Additive_increase/multiplicative_decrease).
A request waits from when its body is there until its answer begins: a slow client is no overload,
and a stream of events is answered once it has begun.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conveyor.entrypoints.edge.figures import Figures
from conveyor.entrypoints.edge.refusals import OVERLOADED
from conveyor.entrypoints.http.bodies import MAX_BODY_BYTES

FIRST_LIMIT = 256
"""Requests that may wait at a time, as long as nothing is known of how fast they are answered."""
LEAST_LIMIT = 64
MOST_LIMIT = 1_000
LESS = 0.8
MOST_BYTES = 8 * 1_048_576
"""Bodies of those that wait: thousands of usual ones, or eight of the largest. Each is in memory
several times over until its order is on the disk."""
BESIDE_SERVICES = 2
"""Requests that begin in one turn of the loop where services need it too: about a millisecond."""
ALONE = 8
"""And where they do not: no more, so that connections are accepted and health is answered."""
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Never sent away: who asks whether we live is told so, however much there is to do."""
FILES = ("/console/assets/", "/docs/assets/")
"""Nor are these, which wait for no database: a page without its style and script is of no use."""
PLACING = frozenset({"/v1/orders", "/v1/intake"})
OPERATING = ("/v1/dead-letters", "/v1/summary", "/v1/audit", "/v1/keys", "/v1/stock", "/console")

Clock = Callable[[], float]


class Lane:
    """Requests that are alike: those of one lane never wait for, or because of, another's."""

    def __init__(self, patience_seconds: float, clock: Clock) -> None:
        """Nothing waits; nobody is kept waiting for longer than `patience_seconds`, about."""
        self._patience = patience_seconds
        self._clock = clock
        self._numbers = count()
        self._waiting: dict[int, tuple[float, int]] = {}  # since when, and its bytes; oldest first
        self._bytes = 0
        self._limit = float(FIRST_LIMIT)
        self._filled = False
        self._lowered = 0.0

    def is_open(self) -> bool:
        """Whether a further request would be answered soon."""
        if len(self._waiting) >= self._limit:
            self._filled = True
            return False
        if self._bytes >= MOST_BYTES:
            return False
        oldest = next(iter(self._waiting.values()), None)
        return oldest is None or self._clock() - oldest[0] < self._patience

    def enter(self, size: int) -> int:
        """Let a request in with a body of that size; gives what it leaves with."""
        number = next(self._numbers)
        self._waiting[number] = (self._clock(), size)
        self._bytes += size
        return number

    def leave(self, number: int) -> None:
        """Let it out once its answer begins; leaving twice is harmless."""
        waited = self._waiting.pop(number, None)
        if waited is None:
            return
        since, size = waited
        self._bytes -= size
        now = self._clock()
        if now - since > self._patience:
            if since > self._lowered:  # it came after the limit was lowered the last time
                self._limit = max(LEAST_LIMIT, self._limit * LESS)
                self._lowered = now
        elif self._filled and now - since < self._patience / 2:
            self._limit = min(MOST_LIMIT, self._limit + 1)
            self._filled = len(self._waiting) >= self._limit


class Pace:
    """Lets a few requests begin in one turn of the event loop; the others wait for the next ones.

    In one process with the services, these have their part of each turn: without it a crowd that
    places orders leaves no time to carry any of them out.
    """

    def __init__(self, a_turn: int) -> None:
        """Nobody waits."""
        self._a_turn = a_turn
        self._begun = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    async def turn(self) -> None:
        """Wait for one's turn, in the order of coming."""
        if self._begun < self._a_turn and not self._queue:
            self._begin()
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        await turn

    def _begin(self) -> None:
        if not self._begun:
            asyncio.get_running_loop().call_soon(self._next)
        self._begun += 1

    def _next(self) -> None:
        self._begun = 0
        while self._queue and self._begun < self._a_turn:
            turn = self._queue.popleft()
            if not turn.done():  # else whoever waited was cancelled
                self._begin()
                turn.set_result(None)


class Admission:
    """An ASGI application in front of another."""

    def __init__(
        self,
        app: ASGIApp,
        patience_seconds: float,
        figures: Figures,
        a_turn: int,
        clock: Clock = time.monotonic,
    ) -> None:
        """Wrap an application; see `Lane`."""
        self._app = app
        self.figures = figures
        self._pace = Pace(a_turn)
        self._placing = Lane(patience_seconds, clock)
        self._operating = Lane(patience_seconds, clock)
        self._others = Lane(patience_seconds, clock)

    @property
    def is_shedding(self) -> bool:
        """Whether some requests would have to wait too long."""
        lanes = (self._placing, self._operating, self._others)
        return not all(lane.is_open() for lane in lanes)

    def sends_away(self, method: str, path: str) -> bool:
        """Whether such a request would have to wait too long."""
        lane = self._lane_of(method, path)
        return lane is not None and not lane.is_open()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or that too much is waiting."""
        lane = self._lane_of(scope["method"], scope["path"])
        if lane is None:
            await self._app(scope, receive, send)
        elif not lane.is_open():
            await self._refuse(scope, receive, send)
        elif (body := await _whole(receive)) is not None:
            if lane.is_open():  # still, after a body that may have taken its time
                await self._wait(lane, scope, body, receive, send)
            else:
                await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.figures.refused[OVERLOADED.code] += 1
        await OVERLOADED.response(scope, receive, send)

    def _lane_of(self, method: str, path: str) -> Lane | None:
        if path in OPEN_PATHS or path.startswith(FILES):
            return None
        if path in PLACING and method == "POST":
            return self._placing
        return self._operating if path.startswith(OPERATING) else self._others

    async def _wait(
        self, lane: Lane, scope: Scope, body: bytes, receive: Receive, send: Send
    ) -> None:
        number = lane.enter(len(body))
        unread = True

        async def receiving() -> Message:
            nonlocal unread
            if not unread:
                return await receive()
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}

        async def sending(message: Message) -> None:
            lane.leave(number)
            await send(message)

        try:
            await self._pace.turn()
            await self._app(scope, receiving, sending)
        finally:
            lane.leave(number)


async def _whole(receive: Receive) -> bytes | None:
    """Give the body, or one byte more than is taken; None: the client went away."""
    chunks: list[bytes] = []
    size = 0
    while size <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message["body"])
        size += len(message["body"])
        if not message["more_body"]:
            break
    return b"".join(chunks)
