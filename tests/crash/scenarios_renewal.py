"""A renewal's lives: started by two scans at once, declined, paid with another card, cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.scenarios import COMPLETED, EITHER, PATIENCE_SECONDS, REFUSED
from tests.flows.renewals import MERCHANT, assert_clean, make_plan, subscribe

from conveyor.commerce.orders.order_filter import EVERYTHING
from conveyor.commerce.orders.search import search
from conveyor.core.interventions import cancel
from conveyor.core.order import Order
from conveyor.core.order_status import SETTLED, OrderStatus
from conveyor.core.transaction import Tx
from conveyor.flows.renewal.scan import Scan
from conveyor.flows.renewal.subscriptions.changes import Changes
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_settled
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import until_idle

NAME = "s"


@dataclass(frozen=True)
class RenewalScenario:
    """A subscription that is due, its card, and the one that replaces it when it is declined."""

    name: str
    endings: frozenset[str]
    card: str = "card_ok"
    new_card: str = ""
    cancel_after: float | None = None
    settings: dict[str, Any] = field(default_factory=lambda: {"renewal_scan_seconds": 5.0})
    flow: str = "renewal"

    def life(self, *, cancel_at_once: bool = False) -> Callable[[App], Coroutine[Any, Any, Order]]:
        """See `Lived`."""

        async def live(app: App) -> Order:
            await make_plan(app)
            await subscribe(app, [(NAME, self.card)])
            scans = asyncio.gather(
                *((scan := Scan(app.engine)).some(scan.run_of(MERCHANT)) for _ in range(2))
            )
            if cancel_at_once:
                await self._cancel(app)
            elif self.cancel_after is not None:
                await asyncio.sleep(self.cancel_after)
                await self._cancel(app)
            elif self.new_card:
                await _until(app, {OrderStatus.AWAITING, *SETTLED})
                await Changes(app.engine).replace_card(MERCHANT, NAME, self.new_card)
            order = await _until(app, SETTLED)
            await scans
            await until_idle(app)
            await assert_clean(app)
            return order

        return live

    def check(self, directory: Path) -> None:
        """See `Lived`."""
        check_tokens(directory)
        check_settled(directory)

    async def _cancel(self, app: App) -> None:
        engine = app.engine
        for order in await engine.database.read(_orders):
            order_id = order.id
            await engine.relay.commit(
                lambda tx, order_id=order_id: cancel(  # type: ignore[misc]
                    tx, engine.registry, order_id, engine.now(), "no more"
                )
            )


def _orders(tx: Tx) -> list[Order]:
    return search(tx, EVERYTHING, sees=None, limit=10)


async def _until(app: App, statuses: frozenset[str] | set[str]) -> Order:
    for _ in range(PATIENCE_SECONDS):
        found = await app.engine.database.read(_orders)
        if found and found[0].status in statuses:
            (order,) = found  # one order for one period, whatever happens
            return order
        await asyncio.sleep(1)
    raise AssertionError("the renewal never settled")


SLOW = {"renewal_scan_seconds": 5.0, "payment_latency_seconds": 1.0}

RENEWALS = (
    RenewalScenario("happy", COMPLETED),
    RenewalScenario("stolen", REFUSED, card="card_stolen"),
    RenewalScenario("unanswered", COMPLETED, card="card_unanswered"),
    RenewalScenario("card_replaced", COMPLETED, card="card_declined", new_card="card_ok"),
    RenewalScenario("cancelled_while_charging", EITHER, cancel_after=0.5, settings=SLOW),
)
