"""What the tests of the console share: a system that people look at, and a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser
from tests.api.conftest import server, start
from tests.api.serving import NO_TLS, Server
from tests.console.shop import Seat, Shop, open_browser, open_shop
from tests.servers.memory import directory_in_memory, tmp_path
from tests.servers.waiting import PATIENCE_SECONDS

__all__ = ["server", "start", "tmp_path"]

OURS = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """A system that runs by `conveyor up`, shared by all tests that do not mind the others."""
    with directory_in_memory() as home, open_shop(home / "data") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser. While it is open no other event loop runs in this thread, as commands need one."""
    with open_browser() as opened:
        yield opened


@pytest.fixture
def sit(browser: Browser, shop: Shop) -> Iterator[Callable[..., Seat]]:
    """Gives seats before the console; at the end none must have heard a complaint."""
    seats: list[Seat] = []

    def take(**options: Any) -> Seat:
        seats.append(Seat(browser, shop, **options))
        return seats[-1]

    yield take
    for seat in seats:
        seat.context.close()
    assert [seat.complaints for seat in seats] == [[] for _ in seats]


@pytest.fixture
def visit(server: Server) -> Iterator[Callable[[], httpx.Client]]:
    """Gives clients that keep cookies, as a browser does, and come from our own pages."""
    with ExitStack() as clients:
        yield lambda: clients.enter_context(
            httpx.Client(base_url=server.url, headers=OURS, timeout=PATIENCE_SECONDS, verify=NO_TLS)
        )
