"""The shop flow's lives: what the customer does, and how it may end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.orders.placement import Placed
from conveyor.commerce.orders.store import find
from conveyor.core.interventions import cancel
from conveyor.core.order import Order
from conveyor.core.order_status import SETTLED
from conveyor.core.transaction import Tx
from conveyor.flows.shop.inventory.store import level, set_stock
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_settled, received
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import until_idle

MERCHANT = "default"
SKU = "CD"
QUANTITY = 2
TOTAL = 2354
STOCK = 10
PATIENCE_SECONDS = 4 * 3600


class Lived(Protocol):
    """What can be lived through, with a crash in between: one order, however many processes."""

    @property
    def name(self) -> str: ...

    @property
    def flow(self) -> str: ...

    @property
    def endings(self) -> frozenset[str]: ...

    @property
    def settings(self) -> dict[str, Any]: ...

    def life(self, *, cancel_at_once: bool = False) -> Callable[[App], Coroutine[Any, Any, Order]]:
        """Give what happens in one process: also in the one that comes after a crash."""
        ...

    def check(self, directory: Path) -> None:
        """Look at what is left. Raises `BrokenInvariantError`."""
        ...


@dataclass(frozen=True)
class Scenario:
    """A customer's order, and whether and when it is cancelled, in virtual seconds."""

    name: str
    endings: frozenset[str]
    method: str = "card_ok"
    stock: int = STOCK
    cancel_after: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    flow: str = "shop"

    def life(self, *, cancel_at_once: bool = False) -> Callable[[App], Coroutine[Any, Any, Order]]:
        """Give what happens in one process: also in the one that comes after a crash."""

        async def live(app: App) -> Order:
            await self._stock(app)
            order_id = await self._place(app)
            if cancel_at_once:
                await self._cancel(app, order_id)
            elif self.cancel_after is not None:
                await asyncio.sleep(self.cancel_after)
                await self._cancel(app, order_id)
            return await self._settled(app, order_id)

        return live

    def check(self, directory: Path) -> None:
        check_tokens(directory)
        check_settled(directory)
        assert received(directory) == self.stock

    async def _stock(self, app: App) -> None:
        def stock(tx: Tx) -> None:
            if level(tx, MERCHANT, SKU) is None:
                set_stock(tx, MERCHANT, SKU, self.stock)

        await app.parts.database.run(stock)

    async def _place(self, app: App) -> str:
        body = OrderBody.model_validate(
            {
                "customer": {"id": "00001"},
                "currency": "USD",
                "items": [{"sku": SKU, "quantity": QUANTITY}],
                "total": TOTAL,
                "payment": {"method": self.method},
                "shipping": {"country": "US"},
            }
        )
        placed = await app.placement.place(MERCHANT, "the-key", body)
        assert isinstance(placed, Placed)
        return placed.order_id

    async def _cancel(self, app: App, order_id: str) -> None:
        engine = app.engine
        await engine.relay.commit(
            lambda tx: cancel(tx, engine.registry, order_id, engine.now(), "changed my mind")
        )

    async def _settled(self, app: App, order_id: str) -> Order:
        for _ in range(PATIENCE_SECONDS):
            order = await app.parts.database.read(lambda tx: find(tx, order_id, None))
            assert order is not None
            if order.status in SETTLED:
                await until_idle(app)
                return order
            await asyncio.sleep(1)
        raise AssertionError(f"order {order_id} never settled")


COMPLETED = frozenset({"completed"})
REFUSED = frozenset({"refused"})
EITHER = frozenset({"completed", "cancelled"})

SCENARIOS = (
    Scenario("happy", COMPLETED),
    Scenario("declined", REFUSED, method="card_declined"),
    Scenario("sold_out", REFUSED, stock=1),
    Scenario("unanswered", COMPLETED, method="card_unanswered"),
    Scenario("flaky", COMPLETED, method="card_flaky"),
    Scenario(
        "cancelled_while_authorizing",
        EITHER,
        cancel_after=0.5,
        settings={"payment_latency_seconds": 1.0},
    ),
    Scenario(
        "cancelled_while_capturing",
        EITHER,
        cancel_after=1.5,
        settings={"payment_latency_seconds": 1.0},
    ),
)
