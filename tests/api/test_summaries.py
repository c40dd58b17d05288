"""How old a summary may be: the number of open orders is never old, however slow a look was."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

import pytest
from tests.api.serving import Server, place
from tests.servers.memory import directory_in_memory

from conveyor.core.ambient import Ambient
from conveyor.core.transaction import Database, Tx
from conveyor.operations.summary import MOST_OLD_MS, Summaries, Which

T = TypeVar("T")

HOUR_MS = 3_600_000
SLOW_MS = 10_000
MERCHANT = "counted"


class Slow:
    """A database of which each look takes ten seconds, as on a machine that has much else to do."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.elapsed_ms = 0
        self.steps_ms = 0

    async def read(self, work: Callable[[Tx], T]) -> T:
        self.elapsed_ms += SLOW_MS
        return await self._database.read(work)

    def now_ms(self) -> int:
        return self.elapsed_ms + self.steps_ms


@pytest.fixture
def idle() -> Iterator[Server]:
    """A system in which nobody takes a step."""
    with directory_in_memory() as home, Server(home, ("orders",)) as running:
        yield running


@pytest.mark.parametrize("step_ms", [0, -HOUR_MS, HOUR_MS])
def test_however_long_a_look_takes_open_orders_are_counted_soon_again(
    idle: Server, step_ms: int
) -> None:
    slow = Slow(idle.app.engine.database)
    summaries = Summaries(
        cast("Database", slow), Ambient(slow, random.Random(1), lambda: slow.elapsed_ms / 1000)
    )
    client = idle.client_of(MERCHANT)

    def seen() -> int:
        return idle.run(summaries.of(Which(MERCHANT))).open

    place(client)
    assert seen() == 1
    place(client)
    slow.steps_ms += step_ms
    slow.elapsed_ms += MOST_OLD_MS
    assert seen() == 2
