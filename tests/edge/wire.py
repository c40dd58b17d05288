"""A client that does what no library does: half a request, a header without end, no reading."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit

PATIENCE_SECONDS = 60.0
PIECE = 65_536


class Wire:
    """One connection."""

    def __init__(self, url: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        address = urlsplit(url)
        self._socket = socket.socket()
        self._socket.settimeout(patience_seconds)
        # So that what is not read is soon noticed by whoever sends it.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
        self._socket.connect((address.hostname, address.port))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def close(self) -> None:
        """Be gone: whatever is sent to us from now on is answered with a reset."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send this, or as much as the other side takes before it goes."""
        with suppress(ConnectionError):
            self._socket.sendall(data)

    def answer(self) -> Answer:
        """Read until the other side has ended the connection, or its answer."""
        seen = b""
        while not _is_whole(seen):
            piece = self._socket.recv(PIECE)
            if not piece:
                break
            seen += piece
        return Answer(seen)

    def some(self) -> bytes:
        """Read what there is next."""
        return self._socket.recv(PIECE)

    def rest(self) -> bytes:
        """Read until the other side ends the connection."""
        seen = b""
        with suppress(ConnectionError):
            while piece := self._socket.recv(PIECE):
                seen += piece
        return seen

    def is_open(self) -> bool:
        """Whether the other side has neither ended it nor said anything."""
        self._socket.settimeout(0)
        try:
            self._socket.recv(1)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        finally:
            self._socket.settimeout(PATIENCE_SECONDS)
        return False


class Answer:
    """What came back."""

    def __init__(self, seen: bytes) -> None:
        head, _, self._body = seen.partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        self.status = int(line.split(" ")[1]) if line else 0
        self.headers = {
            name.lower(): value for name, _, value in (f.partition(": ") for f in fields)
        }

    @property
    def text(self) -> str:
        """The body as text."""
        return self._body.decode()

    @property
    def problem(self) -> Any:
        """The body as a problem."""
        assert self.headers["content-type"] == "application/problem+json"
        return json.loads(self._body)


def _is_whole(seen: bytes) -> bool:
    head, found, body = seen.partition(b"\r\n\r\n")
    _, _, rest = head.lower().partition(b"content-length: ")
    length = rest.partition(b"\r\n")[0]
    return bool(found and length) and len(body) >= int(length)


def ask(url: str, path: str = "/healthz", *headers: str) -> Answer:
    """Ask over a connection of its own."""
    with Wire(url) as wire:
        wire.send(request(path, *headers))
        return wire.answer()


def request(path: str = "/healthz", *headers: str, method: str = "GET") -> bytes:
    """Give the head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: here", *headers, "", ""]
    return "\r\n".join(lines).encode()
