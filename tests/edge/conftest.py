"""What these tests share: systems whose limits are small enough to be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.api.serving import Server
from tests.servers.memory import directory_in_memory, tmp_path

__all__ = ["server", "start", "tmp_path"]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A system with the limits that it has by itself, but for those of time."""
    with (
        directory_in_memory() as home,
        Server(home, header_seconds=0.2, body_seconds=0.2, answer_seconds=0.2) as running,
    ):
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a system of the test's own with these settings."""
    with ExitStack() as running:
        yield lambda **settings: running.enter_context(Server(tmp_path, **settings))
