"""Both ways to post take a plain success for one, and nothing else."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from conveyor.adapters.sqs.pool import PooledPosts
from conveyor.adapters.sqs.posts import FewPosts, trusted
from conveyor.adapters.sqs.transport import Posts

PATIENCE_SECONDS = 60.0
SHORT_SECONDS = 0.5
WAYS: dict[str, Callable[[str], Posts]] = {
    "few": lambda url: FewPosts(url, PATIENCE_SECONDS),
    "pooled": lambda url: PooledPosts(url, PATIENCE_SECONDS, 10),
}


class Server(ThreadingHTTPServer):
    """Answers as it is told; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.hangs_up = 200, False
        self.pause = Event()
        self.pause.set()
        self.asked: list[tuple[str, bytes, str | None]] = []
        self.connections: set[tuple[str, int]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, body, self.headers["x-amz-target"]))
        self.server.connections.add(self.client_address)
        self.server.pause.wait()
        self.send_response(self.server.status)
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        self.close_connection = self.server.hangs_up

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def post(way: str, url: str, times: int = 1) -> list[bytes | None]:
    async def main() -> list[bytes | None]:
        posts = WAYS[way](url)
        try:
            return [await posts.post(b"[]", {"x-amz-target": "T"}) for _ in range(times)]
        finally:
            await posts.close()

    return asyncio.run(main())


@pytest.mark.parametrize("way", WAYS)
def test_a_success_is_given_and_its_connection_kept(way: str, server: Server) -> None:
    assert post(way, server.url, times=3) == [b"{}"] * 3
    assert server.asked == [("/", b"[]", "T")] * 3
    assert len(server.connections) == 1


@pytest.mark.parametrize("status", [201, 301, 302, 400, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("way", WAYS)
def test_any_other_answer_is_none(way: str, status: int, server: Server) -> None:
    server.status = status
    assert post(way, server.url) == [None]
    assert len(server.asked) == 1, "asked once, and not elsewhere"


@pytest.mark.parametrize("way", WAYS)
def test_where_nobody_listens_there_is_no_answer(way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert post(way, f"http://127.0.0.1:{port}") == [None]


def test_a_connection_that_was_closed_meanwhile_is_made_anew(server: Server) -> None:
    server.hangs_up = True
    assert post("few", server.url, times=3) == [b"{}"] * 3
    assert len(server.connections) == 3


def test_who_does_not_answer_in_time_is_asked_once(server: Server) -> None:
    async def main() -> list[bytes | None]:
        posts = FewPosts(server.url, SHORT_SECONDS)
        first = await posts.post(b"[]", {})
        server.pause.clear()
        try:
            return [first, await posts.post(b"[]", {})]
        finally:
            server.pause.set()
            await posts.close()

    assert asyncio.run(main()) == [b"{}", None]
    assert len(server.asked) == 2


def test_the_certificates_that_are_trusted_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[ssl.SSLContext] = []

    def make() -> ssl.SSLContext:
        made.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return made[-1]

    trusted.cache_clear()
    monkeypatch.setattr(ssl, "create_default_context", make)
    for _ in range(2):  # as a function asks Secrets Manager, and SQS
        posts = FewPosts("https://127.0.0.1:9", SHORT_SECONDS)  # where nobody listens
        assert posts.post_now(b"{}", {}) is None
    trusted.cache_clear()
    assert len(made) == 1
