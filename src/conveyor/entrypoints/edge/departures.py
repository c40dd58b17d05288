"""Connections that end with an answer before they were ever looked after: what costs least.

Closed while something of theirs is unread, or still on its way, they would be reset and the answer
lost with it: the last ones are held for a moment, without anybody waiting for them.
"""

from __future__ import annotations

import re
import socket
from collections import deque
from contextlib import suppress

from conveyor.entrypoints.edge.refusals import Refusal

SEEN_BYTES = 16_384
"""Of a request that is to be sent away; an order has about one thousand."""
HELD = 32
"""Answered connections that are held at most, each with a descriptor of its own."""
DISCARDED_PIECES = 8
"""Read at once of what nobody wants: whoever sends faster than that shall not keep us at it."""

_ASKED = re.compile(rb"(?P<method>[A-Z]{3,16}) (?P<path>/[^ ?]*)(?:\?[^ ]*)? HTTP/1\.[01]")
# Neither can make us try again and again: whoever is sent away would make that dear.
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,5})[ \t]*(?=\r\n)", re.IGNORECASE)
_WITHOUT_BODY = frozenset({b"GET", b"DELETE"})


def asked_by(connection: socket.socket) -> tuple[str, str] | None:
    """Give method and path of the request that is here, whole and alone; None: look properly."""
    try:
        seen = connection.recv(SEEN_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return None
    head, blank, body = seen.partition(b"\r\n\r\n")
    asked = _ASKED.fullmatch(head.partition(b"\r\n")[0])
    lengths = _LENGTH.findall(head + b"\r\n")
    if asked is None or not blank or len(lengths) > 1:
        return None
    if not lengths and asked["method"] not in _WITHOUT_BODY:
        return None
    if len(body) != int(lengths[0] if lengths else 0):
        return None
    return asked["method"].decode(), asked["path"].decode("latin-1")


class Departures:
    """Answers connections in the application's place, and closes them."""

    def __init__(self) -> None:
        """Nobody leaves."""
        self._held: deque[socket.socket] = deque()
        self._fresh = 0

    def answer(self, connection: socket.socket, refusal: Refusal, *, alone: bool = False) -> None:
        """Answer and end it: at once where its request is `alone`, so that nothing is to follow."""
        connection.settimeout(0)
        _discard(connection)
        with suppress(OSError):  # it may be gone by now
            connection.send(refusal.raw)  # a new connection has room for it
            if not alone:
                connection.shutdown(socket.SHUT_WR)
        if alone:
            connection.close()
            return
        self._held.append(connection)
        self._fresh += 1
        if len(self._held) > HELD:
            self._end_oldest()

    def check(self) -> None:
        """End those that were here the last time already."""
        while len(self._held) > self._fresh:
            self._end_oldest()
        self._fresh = 0

    def close(self) -> None:
        """End all."""
        while self._held:
            self._end_oldest()

    def _end_oldest(self) -> None:
        connection = self._held.popleft()
        self._fresh = min(self._fresh, len(self._held))
        _discard(connection)
        connection.close()


def _discard(connection: socket.socket) -> None:
    with suppress(OSError):
        for _ in range(DISCARDED_PIECES):
            if len(connection.recv(SEEN_BYTES)) < SEEN_BYTES:
                return
