"""A run of renewals that takes several requests is one run: no period is started twice in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from conveyor.flows.renewal.cli_renewals import _run
from conveyor.testing.loop import run_virtual

ASKED = {"per_cent": 100.0, "limit": 1, "dry": False, "catch_up": True}


class Server:
    """Answers a run page by page, and keeps what it was asked."""

    def __init__(self, pages: Iterator[dict[str, Any]]) -> None:
        self._pages = pages
        self.asked: list[dict[str, Any]] = []

    @asynccontextmanager
    async def client(self, *, moves: bool) -> AsyncIterator[Server]:
        assert moves
        yield self

    async def post(self, _path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(body)
        return next(self._pages)


def page(started: int, **others: Any) -> dict[str, Any]:
    given = {"ended": 0, "paused": False, "more": True, "wait_seconds": 0.0, "due": None, "run": 7}
    return given | {"started": started} | others


@pytest.mark.parametrize("last", [{"more": False}, {"paused": True}])
def test_every_page_is_of_the_run_that_the_first_began(last: dict[str, Any]) -> None:
    server = Server(iter([page(3), page(2, wait_seconds=60.0), page(1, **last)]))

    target: Any = server
    done = run_virtual(_run(target, dict(ASKED)))

    assert done["started"] == 6
    assert server.asked == [ASKED, ASKED | {"run": 7}, ASKED | {"run": 7}]
