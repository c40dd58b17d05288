"""All connections of a process: how many, of whom, and how many bytes they hold together."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from heapq import nlargest, nsmallest

from uvicorn.config import Config
from uvicorn.server import ServerState

from conveyor.entrypoints.edge.admission import Admission
from conveyor.entrypoints.edge.departures import Departures, asked_by
from conveyor.entrypoints.edge.limits import Limits
from conveyor.entrypoints.edge.protocol import GuardedProtocol, Phase
from conveyor.entrypoints.edge.refusals import OVERLOADED_AND_OVER, Refusal
from conveyor.entrypoints.http.addresses import counted_as
from conveyor.entrypoints.http.codes import Code

AT_ONCE = 32
"""Connections given up at once where room is needed: looking for them takes a while."""

FULL = Refusal(
    Code.OVERLOADED,
    "There are too many connections. Try again in a moment.",
    later=True,
    closes=True,
)
TOO_MANY = Refusal(
    Code.RATE_LIMITED,
    "There are too many connections from this address.",
    later=True,
    closes=True,
)


class Connections:
    """Greets every connection, and gives some up where there are too many."""

    def __init__(
        self, limits: Limits, admission: Admission, config: Config, state: ServerState
    ) -> None:
        """There are none."""
        self.admission = admission
        self.limits = limits
        self.figures = admission.figures
        self._config = config
        self._state = state
        self._departures = Departures()
        self._open: set[GuardedProtocol] = set()
        self._by_address: Counter[str] = Counter()
        self._held = 0

    @property
    def is_full(self) -> bool:
        """Whether a further connection takes the place of another."""
        return len(self._open) >= self.limits.connections

    def greet(self, connection: socket.socket, address: str) -> GuardedProtocol | None:
        """See `acceptor.Host`."""
        if self.admission.is_shedding and self._is_sent_away(connection):
            self._send_away(connection, OVERLOADED_AND_OVER, alone=True)
            return None
        if self.is_full and not self.make_room():
            self._send_away(connection, FULL)
            return None
        if not self._has_room_for(address):
            self._send_away(connection, TOO_MANY)
            return None
        protocol = GuardedProtocol(self._config, self._state, self)
        protocol.address = counted_as(address)
        self._open.add(protocol)
        self.figures.connections += 1
        self._by_address[protocol.address] += 1
        return protocol

    def drop(self, protocol: GuardedProtocol) -> None:
        """Count a connection no longer; doing it twice is harmless."""
        if protocol not in self._open:
            return
        self._open.discard(protocol)
        self.figures.connections -= 1
        self._held -= protocol.held
        protocol.held = 0
        self._by_address[protocol.address] -= 1
        if not self._by_address[protocol.address]:
            del self._by_address[protocol.address]

    def hold(self, more: int) -> None:
        """Count bytes that are kept; where there are too many, those that keep most give up."""
        self._held += more
        if more <= 0 or self._held <= self.limits.unfinished_bytes:
            return
        unfinished = [p for p in self._open if p.stuck_since or p.phase in {Phase.HEAD, Phase.BODY}]
        for protocol in nlargest(AT_ONCE, unfinished, key=lambda p: p.held):
            protocol.give_up() if protocol.stuck_since else protocol.refuse(FULL)
            if self._held <= self.limits.unfinished_bytes:
                return

    def make_room(self) -> bool:
        """Give up connections that nobody is answered on: the idle first, then the slowest."""
        waiting = [p for p in self._open if p.phase < Phase.ANSWERING or p.stuck_since]
        chosen = nsmallest(AT_ONCE, waiting, key=lambda p: (p.phase, p.since))
        for protocol in chosen:
            protocol.give_up()
        return bool(chosen)

    def check(self) -> None:
        """End what has taken too long."""
        now = asyncio.get_running_loop().time()
        for protocol in list(self._open):
            protocol.check(now)
        self._departures.check()

    def close(self) -> None:
        """Let go of those that were answered, and are held for a moment."""
        self._departures.close()

    def _is_sent_away(self, connection: socket.socket) -> bool:
        """Whether it asks, and for nothing else, what would have to wait too long."""
        asked = asked_by(connection)
        return asked is not None and self.admission.sends_away(*asked)

    def _has_room_for(self, address: str) -> bool:
        many = self._by_address[counted_as(address)] >= self.limits.connections_by_address
        return not many or self.limits.trusts(address)

    def _send_away(
        self, connection: socket.socket, answer: Refusal, *, alone: bool = False
    ) -> None:
        self.figures.refused[answer.code] += 1
        self._departures.answer(connection, answer, alone=alone)
