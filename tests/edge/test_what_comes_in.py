"""What comes in is bounded before anybody asks for a key: in size, in time and in number."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest
from tests.api.serving import Server
from tests.edge.wire import Answer, Wire, ask, request
from tests.servers.waiting import wait_until

from conveyor.entrypoints.edge.protocol import GuardedProtocol
from conveyor.entrypoints.edge.refusals import TOO_SLOW

MIB = 1024 * 1024
CODES = {"too_large", "url_too_long", "headers_too_large", "malformed_request"}
CONNECTIONS = "conveyor_http_connections"
WEBHOOK = "/v1/webhooks/carrier"


def answer_to(server: Server, *pieces: bytes) -> Answer:
    """Send these pieces; gives what is answered."""
    with Wire(server.url) as wire:
        for piece in pieces:
            wire.send(piece)
        return wire.answer()


def connections(server: Server) -> int:
    """Count the connections that are open, that of the question among them."""
    line = next(
        line for line in ask(server.url, "/metrics").text.splitlines() if CONNECTIONS in line[:30]
    )
    return round(float(line.split()[1]))


def chunk(size: int) -> bytes:
    """Give a piece of a body that does not say how long it is."""
    return b"%x\r\n%b\r\n" % (size, b"x" * size)


@pytest.mark.parametrize(
    ("status", "pieces"),
    [
        (414, [request("/v1/orders?" + "x" * 9_000)]),
        (414, [b"GET /", *([b"x" * MIB] * 20)]),
        (431, [request("/healthz", "X-Long: " + "x" * 40_000)]),
        (431, [b"GET / HTTP/1.1\r\nX-Endless: ", *([b"x" * MIB] * 20)]),
        (431, [request("/healthz", *(f"X-{number}: x" for number in range(120)))]),
        (413, [request(WEBHOOK, f"Content-Length: {MIB + 1}", method="POST")]),
        (413, [request(WEBHOOK, f"Content-Length: {MIB + 1}", method="POST"), b"x" * MIB * 4]),
        (
            413,
            [
                request(WEBHOOK, "Transfer-Encoding: chunked", method="POST"),
                *([chunk(MIB // 2)] * 8),
            ],
        ),
        (400, [b"\x16\x03\x01 this is no HTTP\r\n\r\n"]),
        (400, [b"GET /healthz HTTP/1.1\r\n\r\n"]),
        (400, [request("/healthz", "Host: there")]),
        (400, [request("/healthz", "Authorization: Bearer a", "Authorization: Bearer b")]),
    ],
)
def test_what_is_too_long_is_refused_and_not_reset(
    server: Server, status: int, pieces: list[bytes]
) -> None:
    answer = answer_to(server, *pieces)
    assert answer.status == status
    assert answer.problem["code"] in CODES
    assert answer.headers["connection"] == "close"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "half",
    [
        b"G",
        b"POST /v1/orders HTTP/1.1\r\nHost: here\r\n",
        request(WEBHOOK, "Content-Length: 1000", method="POST") + b"half of it",
        request(WEBHOOK, "Transfer-Encoding: chunked", method="POST") + chunk(3),
    ],
)
def test_whoever_sends_half_a_request_is_not_waited_for(server: Server, half: bytes) -> None:
    answer = answer_to(server, half)
    assert answer.status == 408
    assert answer.problem["code"] == "too_slow"


def test_whoever_says_nothing_is_not_waited_for(server: Server) -> None:
    with Wire(server.url) as wire:
        assert not wire.rest()


def test_whoever_fetches_no_answer_is_not_waited_for(server: Server) -> None:
    with Wire(server.url) as wire:
        wire.send(request("/docs/assets/swagger-ui-bundle.js") * 16)
        wait_until(lambda: connections(server), lambda count: count == 2)
        wait_until(lambda: connections(server), lambda count: count == 1)


def test_requests_ahead_of_an_answer_are_few(server: Server) -> None:
    with Wire(server.url) as wire:
        wire.send(request() * 10_000)
        assert wire.rest().count(b"200 OK") < 1_000


def test_a_connection_that_is_kept_answers_again_and_again(server: Server) -> None:
    with Wire(server.url) as wire:
        for _ in range(3):
            wire.send(request("/healthz"))
            assert wire.answer().status == 200
        assert wire.is_open()


def test_the_idle_make_room_for_a_new_connection(start: Callable[..., Server]) -> None:
    server = start(connections=20)
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.url)) for _ in range(60)]
        for wire in wires:
            wire.send(b"G")  # of a connection that says nothing at all we do not hear for a while
        assert ask(server.url).status == 200
        wait_until(lambda: sum(wire.is_open() for wire in wires), lambda count: count <= 20)


def test_one_address_does_not_take_all_connections(start: Callable[..., Server]) -> None:
    server = start(connections_by_address=5)
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(Wire(server.url)).send(b"G")
        answer = ask(server.url)
    assert answer.status == 429
    assert answer.problem["code"] == "rate_limited"
    assert int(answer.headers["retry-after"]) > 0
    wait_until(lambda: ask(server.url).status, lambda status: status == 200)


def test_a_proxy_of_ours_brings_the_connections_of_many(start: Callable[..., Server]) -> None:
    server = start(connections_by_address=5, trusted_proxies="10.0.0.0/8, 127.0.0.1")
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(Wire(server.url)).send(b"G")
        assert ask(server.url).status == 200


def test_of_many_unfinished_bodies_the_largest_make_room(start: Callable[..., Server]) -> None:
    server = start(unfinished_bytes=4 * MIB)
    head = request(WEBHOOK, f"Content-Length: {MIB}", method="POST")
    with ExitStack() as stack:
        small = stack.enter_context(Wire(server.url))
        small.send(head + b"x" * 1_000)
        large = [stack.enter_context(Wire(server.url)) for _ in range(12)]
        for wire in large:
            wire.send(head + b"x" * (MIB - 1))
        wait_until(lambda: sum(not wire.is_open() for wire in large), lambda count: count >= 8)
        assert small.is_open()
        assert ask(server.url).status == 200


def test_whoever_is_gone_while_being_sent_away_stops_nobody(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[GuardedProtocol] = []

    async def gone() -> None:
        wire.close()  # no turn of the server's loop follows in which it could hear of it
        seen[-1].refuse(TOO_SLOW)

    with Wire(server.url) as wire:
        wire.send(b"G")
        with monkeypatch.context() as patch:
            patch.setattr(
                GuardedProtocol, "check", lambda it, _: seen.append(it) if it.held else None
            )
            wait_until(lambda: seen, bool)
            server.run(gone())
    assert ask(server.url).status == 200
