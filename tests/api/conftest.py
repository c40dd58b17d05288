"""What the tests of the API share: systems that answer HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.serving import Server, stock_up
from tests.servers.memory import directory_in_memory, tmp_path

__all__ = ["client", "server", "start", "tmp_path"]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A whole system with plenty of stock, shared by all tests that do not mind the others."""
    with directory_in_memory() as home, Server(home) as running:
        stock_up(running.client())
        yield running


@pytest.fixture
def client(server: Server) -> httpx.Client:
    """A client of the shared system, with a key that has every scope."""
    return server.client_of("default")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a system of the test's own; see `Server` for what it takes."""
    with ExitStack() as running:

        def start_one(*services: str, **settings: Any) -> Server:
            started = running.enter_context(Server(tmp_path, services, **settings))
            stock_up(started.client())
            return started

        yield start_one
