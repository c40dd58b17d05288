"""What all processes together did in the last minute, and what an order costs in requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conveyor.core.figures import Figures, together
from conveyor.core.placed_counts import placed
from conveyor.core.transaction import Tx
from conveyor.core.workers import Worker
from conveyor.core.workers import listing as workers
from conveyor.operations.cost.prices import price_list
from conveyor.system.composition import App
from conveyor.system.request_counts import requests_made

PRICE = "sqs_standard"


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests to the queue service that are paid for: of all processes, since the beginning."""

    made: int
    orders: int

    @property
    def per_order(self) -> float | None:
        """Give how many there were for an order, idle polls among them; None: no order yet."""
        return self.made / self.orders if self.orders else None

    @property
    def dollars_per_order(self) -> float | None:
        """Give what these cost at the list price."""
        price = price_list()[PRICE]
        return None if self.per_order is None else self.per_order * price.price / price.per


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was done in the last minute by `told` processes of `alive`; None: none has told yet.

    `requests` is None where they are not paid for.
    """

    figures: Figures | None
    told: int
    alive: int
    requests: Requests | None


async def traffic(app: App) -> Traffic:
    """Look at what the processes have written down, each at most some ten seconds ago."""
    engine = app.engine
    now = engine.ambient.now_ms()

    def read(tx: Tx) -> tuple[list[Worker], Requests | None]:
        paid = app.counts_requests
        requests = Requests(requests_made(tx), placed(tx)) if paid else None
        return workers(tx), requests

    found, requests = await engine.database.read(read)
    return _of([it for it in found if not it.is_silent(now)], requests)


async def requests_so_far(app: App) -> int | None:
    """Give how many requests all processes have made to the queues; None: they are not counted."""
    if not app.counts_requests:
        return None
    return await app.engine.database.read(requests_made)


def _of(alive: Sequence[Worker], requests: Requests | None) -> Traffic:
    told = [it.figures for it in alive if it.figures is not None]
    return Traffic(together(told) if told else None, len(told), len(alive), requests)
