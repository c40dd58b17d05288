"""One connection, guarded: uvicorn's protocol, with bounds on all that its parser would keep."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from conveyor.entrypoints.edge import refusals
from conveyor.entrypoints.edge.limits import MAX_HEADERS, MAX_PIPELINED

if TYPE_CHECKING:
    from conveyor.entrypoints.edge.connections import Connections

LINGER_SECONDS = 2.0
"""How long what still comes is thrown away after a refusal.

Closed at once, the connection would be reset, and the refusal lost with it.
"""


class Phase(IntEnum):
    """What a connection is at; those that come first are given up first where room is needed."""

    IDLE = 0
    LINGERING = 1
    HEAD = 2
    BODY = 3
    ANSWERING = 4
    OPENING = 5


class _StopError(Exception):
    """Ends the parser's work; what is to be answered is known by then."""


class GuardedProtocol(HttpToolsProtocol):
    """A connection that says how long it has been at what, and how many bytes it holds."""

    def __init__(self, config: Config, state: ServerState, connections: Connections) -> None:
        """See `Connections`, which makes these."""
        super().__init__(config, state, {})
        self._connections = connections
        self._limits = connections.limits
        self._fed = 0
        self._head = 0
        self._refusal = refusals.MALFORMED
        self._unseen = False
        self.address = ""
        self.phase = Phase.OPENING
        self.since = self.loop.time()
        self.held = 0
        """Bytes that came in and are not answered, and those that its client does not fetch."""
        self.stuck_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._enter(Phase.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        super().connection_lost(exc)
        self._connections.drop(self)

    def data_received(self, data: bytes) -> None:
        """Parse what came, as long as there is not too much of it."""
        if self.phase is Phase.LINGERING:
            return
        if self.phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        self._fed += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # we speak nothing else, and answer as if it had not been offered
        except httptools.HttpParserError:
            self.refuse(self._refusal)
            return
        if self.phase is Phase.IDLE:
            return  # it has been answered already
        self._hold(self.held + len(data))
        if self.phase is Phase.HEAD and self._fed > self._limits.header_bytes:
            self.refuse(refusals.TOO_LARGE_HEADERS)
        elif self.phase is Phase.BODY and self._fed > self._most():
            self.refuse(refusals.TOO_LARGE_BODY)

    def on_message_begin(self) -> None:
        """Begin to count; of the first piece only what has been parsed is counted."""
        super().on_message_begin()
        self._fed = self._head = 0
        self._enter(Phase.HEAD)

    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        super().on_url(url)
        if len(self.url) > self._limits.url_bytes:
            self._stop(refusals.TOO_LONG_URL)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or one of those that follow a body in chunks."""
        super().on_header(name, value)
        self._head += len(name) + len(value)
        if self._head > self._limits.header_bytes or len(self.headers) > MAX_HEADERS:
            self._stop(refusals.TOO_LARGE_HEADERS)
        if name.lower() == b"content-length" and _number(value) > self._limits.body_bytes:
            self._stop(refusals.TOO_LARGE_BODY)

    def on_headers_complete(self) -> None:
        """Hand the request to the application; its body may still come."""
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(refusals.MALFORMED)
        if not self._is_unambiguous():
            self._stop(refusals.MALFORMED)
        self._enter(Phase.BODY)
        self._unseen = self._is_sent_away()
        if not self._unseen:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, if somebody is to see it."""
        if not self._unseen:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The application has it all; or nothing, where it has too much to do."""
        if self._unseen:
            self._send_away()
            return
        self._enter(Phase.ANSWERING)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is here already."""
        super().on_response_complete()
        self._hold(0)
        if self.phase is Phase.ANSWERING and not self.pipeline:
            self._enter(Phase.IDLE)

    def pause_writing(self) -> None:
        """The client does not fetch what it asked for."""
        super().pause_writing()
        self.stuck_since = self.loop.time()
        self._hold(self.held + self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The client goes on."""
        super().resume_writing()
        self.stuck_since = None

    def refuse(self, answer: refusals.Refusal) -> None:
        """Answer in the application's place, and end the connection; for others in the middle."""
        if self._is_answering():
            if self.phase is not Phase.BODY or self.cycle.response_started or self.pipeline:
                self.give_up()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._enter(Phase.LINGERING)
        self._hold(0)
        self.flow.resume_reading()
        self.transport.write(answer.raw)
        self._connections.figures.refused[answer.code] += 1
        if self.transport.can_write_eof():
            with suppress(OSError):  # it was reset, and the loop has not heard of it yet
                self.transport.write_eof()

    def give_up(self) -> None:
        """End the connection, whatever it is at."""
        self._connections.drop(self)
        self.transport.abort()

    def check(self, now: float) -> None:
        """End the connection if it has been at this for too long."""
        limits = self._limits
        most = {
            Phase.LINGERING: LINGER_SECONDS,
            Phase.HEAD: limits.header_seconds,
            Phase.BODY: limits.body_seconds,
        }
        if self.stuck_since is not None and now - self.stuck_since > limits.answer_seconds:
            self.give_up()
        elif self.phase in most and now - self.since > most[self.phase]:
            if self.held:
                self.refuse(refusals.TOO_SLOW)
            else:
                self.give_up()

    def _is_unambiguous(self) -> bool:
        """Whether a proxy in front must have understood what we do (RFC 9112, section 3.2)."""
        names = [name for name, _ in self.headers]
        hosts = names.count(b"host")
        one = hosts == 1 or (not hosts and self.parser.get_http_version() == "1.0")
        return one and names.count(b"authorization") <= 1

    def _is_sent_away(self) -> bool:
        if self.expect_100_continue or self._is_answering():
            return False  # the application says so itself, at once, or when it is its turn
        method = self.parser.get_method().decode()
        if method == "HEAD":
            return False  # whose answer has no body, as the application's server knows
        path = self.url.partition(b"?")[0].decode("latin-1")
        return self._connections.admission.sends_away(method, path)

    def _send_away(self) -> None:
        """Say that too much is waiting: here, where it costs a third of what it does further on."""
        keep = self.parser.should_keep_alive()
        answer = refusals.OVERLOADED if keep else refusals.OVERLOADED_AND_OVER
        self._connections.figures.refused[answer.code] += 1
        self.transport.write(answer.raw)
        self._hold(0)
        self._enter(Phase.IDLE if keep else Phase.LINGERING)
        if keep:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            self.transport.close()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.since = self.loop.time()

    def _hold(self, size: int) -> None:
        more, self.held = size - self.held, size
        self._connections.hold(more)

    def _most(self) -> int:
        """Bytes that a request may have: also as chunks of one byte each it is not endless."""
        return self._limits.header_bytes + 2 * self._limits.body_bytes

    def _stop(self, answer: refusals.Refusal) -> None:
        self._refusal = answer
        raise _StopError


def _number(value: bytes) -> int:
    return int(value) if value.isdigit() else 0  # else the parser has refused it
