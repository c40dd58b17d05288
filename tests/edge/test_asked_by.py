"""What is sent away unread must be one whole request, and is known for it without much looking."""

from __future__ import annotations

import socket

import pytest

from conveyor.entrypoints.edge.departures import SEEN_BYTES, asked_by

PLACE = b"POST /v1/orders?a=b HTTP/1.1\r\nHost: here\r\n"
ORDERS = ("POST", "/v1/orders")


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", ("GET", "/healthz")),
        (PLACE + b"Content-Length: 3\r\n\r\nabc", ORDERS),
        (PLACE + b"content-length:3 \r\nX: y\r\n\r\nabc", ORDERS),
        (PLACE + b"Content-Length: 3\r\n\r\nab", None),
        (PLACE + b"Content-Length: 3\r\n\r\nabcG", None),
        (PLACE + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", None),
        (PLACE + b"\r\n", None),
        (PLACE + b"content-length: 1\r\n" * 800, None),
        (PLACE + b"content-length:" + b" " * SEEN_BYTES, None),
        (b"GET / HTTP/1.1\r\nHost: here\r\n\r\nGET", None),
        (b"GET /a b HTTP/1.1\r\n\r\n", None),
        (b"G", None),
    ],
)
def test_it_is_known_only_where_it_is_whole_and_alone(
    sent: bytes, asked: tuple[str, str] | None
) -> None:
    client, server = socket.socketpair()
    with client, server:
        client.sendall(sent)
        assert asked_by(server) == asked
        assert server.recv(1) == sent[:1]  # nothing was taken from it
