"""Memory stays within its bounds whatever comes, and so do descriptors."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from benchmarks.open_loop import Crowd
from tests.api.serving import order_of
from tests.cli.driver import Process, running
from tests.edge.crowding import peak_mib
from tests.edge.wire import Wire, ask, request

MIB = 1024 * 1024
MAX_MIB = 300
ALONE = (sys.executable, "-c", "from conveyor.entrypoints import cli; cli.main()")
"""Not forked from a process that has loaded what other commands need."""
WEBHOOK = "/v1/webhooks/carrier"

Abuse = list[list[bytes]]
"""Pieces, for each connection of many."""

ABUSES: dict[str, Abuse] = {
    "one header of 200 MB": [[b"GET / HTTP/1.1\r\nX-Endless: ", *([b"x" * MIB] * 200)]],
    "a URL of 200 MB": [[b"GET /", *([b"x" * MIB] * 200)]],
    "1,500 half-sent requests": [[request()[:-2]]] * 1_500,
    "500 unfinished bodies": [
        [request(WEBHOOK, f"Content-Length: {MIB}", method="POST"), b"x" * (MIB - 1)]
    ]
    * 500,
    "500 unfinished headers": [[request()[:-2], b"X-Long: " + b"x" * 30_000]] * 500,
    "200 that read no answer": [[request("/docs/assets/swagger-ui-bundle.js") * 10]] * 200,
    "100 with 1,000 requests ahead": [[request() * 1_000]] * 100,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, str]]:
    """A process of its own, with the limits that it has by itself."""
    with running(tmp_path_factory.mktemp("memory"), command=ALONE) as (process, ready):
        yield process, ready["url"]


@pytest.mark.parametrize("abuse", ABUSES.values(), ids=ABUSES)
def test_memory_stays_within_its_bounds(server: tuple[Process, str], abuse: Abuse) -> None:
    process, url = server
    with ExitStack() as stack:
        for pieces in abuse:
            wire = stack.enter_context(Wire(url))
            for piece in pieces:
                wire.send(piece)
        assert ask(url).status == HTTPStatus.OK
        assert peak_mib(process) < MAX_MIB


def test_orders_of_a_mebibyte_stay_within_the_bounds(tmp_path: Path) -> None:
    with running(tmp_path, command=ALONE) as (process, ready):
        values: list[object] = [[[]] * (MIB // 4), "x" * (MIB - 1_000), "x" * 60_000]
        for value in values:
            crowd = Crowd(ready["url"], ready["first_key"], [_order({"a": value})])
            offered = asyncio.run(crowd.saturate(64, 1.0, "large"))
            assert set(offered.times) <= {202, 422, 503}
            assert not offered.broken
        assert peak_mib(process) < MAX_MIB


def _order(metadata: dict[str, Any]) -> bytes:
    return json.dumps(order_of(metadata=metadata), separators=(",", ":")).encode()


def test_with_few_descriptors_the_idle_make_room(tmp_path: Path) -> None:
    with running(tmp_path) as (process, ready), ExitStack() as stack:
        _, most = resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE, (256, most))
        for _ in range(400):
            stack.enter_context(Wire(ready["url"])).send(b"G")
            assert ask(ready["url"]).status == HTTPStatus.OK
