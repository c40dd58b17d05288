"""While too much is waiting, whatever comes is sent away whole: no reset, no byte too many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pytest
from tests.api.serving import Server
from tests.edge.wire import Wire, ask, request
from tests.servers.waiting import wait_until

PATH = "/v1/orders"
DESK = "/v1/dead-letters"
CANCEL = f"{PATH}/01ARZ3NDEKTSV4RRFFQ69G5FAV/cancel"


@contextmanager
def nothing_is_read(server: Server) -> Iterator[None]:
    """Hold up whatever reads the database."""
    go_on = threading.Event()

    async def hold() -> asyncio.Task[bool]:
        return asyncio.create_task(server.app.engine.database.read(lambda _: go_on.wait()))

    holding = server.run(hold())
    try:
        yield
    finally:
        go_on.set()
        wait_until(holding.done, bool)


def _is_sent_away(url: str, path: str, header: str) -> bool:
    """Whether a request is; one that came before the first had waited for long waits as well."""
    with Wire(url, patience_seconds=1.0) as wire:
        wire.send(request(path, header))
        with suppress(TimeoutError):
            return wire.answer().status == 503
    return False


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Give the URL of a server at which a request waits for too long, and a header with its key."""
    with Server(tmp_path_factory.mktemp("waits"), patience_seconds=0.05) as server:
        header = f"Authorization: Bearer {server.local_key}"
        with nothing_is_read(server), Wire(server.url) as first, Wire(server.url) as operators:
            for wire, path in ((first, PATH), (operators, DESK)):
                wire.send(request(path, header))
                wait_until(partial(_is_sent_away, server.url, path, header), bool)
            yield server.url, header


def test_a_connection_that_begins_with_it_ends_with_it(key: tuple[str, str]) -> None:
    url, header = key
    answer = ask(url, PATH, header)
    assert answer.status == 503
    assert answer.problem["code"] == "overloaded"
    assert answer.headers["connection"] == "close"
    assert int(answer.headers["retry-after"]) > 0


def test_a_body_that_is_still_to_come_is_not_reset(key: tuple[str, str]) -> None:
    url, header = key
    body = b"x" * 200_000
    with Wire(url) as wire:
        wire.send(request(CANCEL, header, f"Content-Length: {len(body)}", method="POST"))
        for at in range(0, len(body), 50_000):
            wire.send(body[at : at + 50_000])
        assert wire.answer().status == 503


def test_what_is_asked_in_one_breath_is_answered_in_turn(key: tuple[str, str]) -> None:
    url, header = key
    with Wire(url) as wire:
        wire.send(request(PATH, header) + request("/healthz", "Connection: close"))
        seen = wire.rest()
    assert seen.index(b"HTTP/1.1 503") < seen.index(b"HTTP/1.1 200")


@pytest.mark.parametrize("before", [b"", request("/healthz")])
def test_an_answer_without_a_body_has_none(key: tuple[str, str], before: bytes) -> None:
    url, header = key
    with Wire(url) as wire:
        wire.send(before)
        if before:
            assert wire.answer().status == 200
        wire.send(request(PATH, header, "Connection: close", method="HEAD"))
        head, found, body = wire.rest().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503")
    assert found
    assert not body


def test_health_is_answered(key: tuple[str, str]) -> None:
    url, _ = key
    assert ask(url).status == 200


@pytest.mark.parametrize("path", ["/console/assets/console.css", "/docs/assets/swagger-ui.css"])
def test_a_page_has_its_files(key: tuple[str, str], path: str) -> None:
    """They wait for nothing; without them a page that was answered is of no use to an operator."""
    url, header = key
    assert ask(url, "/console", header).status == 503
    answer = ask(url, path)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
