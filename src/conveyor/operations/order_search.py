"""Finding orders, for the API, the command line and the console: the same filter everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from conveyor.commerce.orders.order_filter import OrderFilter
from conveyor.commerce.orders.search import search
from conveyor.commerce.orders.streams import Places
from conveyor.core.errors import ConveyorError
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Place
from conveyor.core.transaction import Tx
from conveyor.system.composition import App


@dataclass(frozen=True, slots=True)
class Page:
    """Orders, the newest first; `next` is the cursor of the next page, None after the last."""

    orders: list[Order]
    next: str | None


class UnknownNameError(ConveyorError):
    """Orders were looked for by the name of a flow or a step that there is not."""

    def __init__(self, field: str, name: str, known: Iterable[str]) -> None:
        self.field = field
        self.why = f"there is no {field} {name!r}; there are {', '.join(sorted(known))}"
        super().__init__(f"{field}: {self.why}")


async def find_orders(
    app: App, wanted: OrderFilter, sees: str | None, *, limit: int, cursor: str | None = None
) -> Page:
    """Find a page of orders; `sees` is the merchant whose they may be, None: anybody's.

    `cursor` is that of the page before. Raises `UnknownNameError`.
    """
    registry = app.engine.registry
    return await app.parts.reading.read(
        lambda tx: page_of(tx, registry, wanted, sees, limit=limit, cursor=cursor)
    )


def page_of(
    tx: Tx,
    registry: Registry,
    wanted: OrderFilter,
    sees: str | None,
    *,
    limit: int,
    cursor: str | None = None,
) -> Page:
    """Do as `find_orders` does, in this transaction, which only reads."""
    places = () if wanted.step is None else places_of(registry, wanted.step)
    found = search(tx, wanted, sees=sees, limit=limit, cursor=cursor, places=places)
    if not found and wanted.flow is not None:
        _require_flow(tx, registry, wanted.flow, sees)
    return Page(found, found[-1].id if len(found) == limit else None)


def places_of(registry: Registry, step: str) -> Places:
    """Give where an order is that is owed this step. Raises `UnknownNameError`."""
    places = [
        (flow.key, place)
        for flow in registry.flows.values()
        for position, line in enumerate(flow.steps)
        for name, place in (
            (line.name, Place(position)),
            (line.undo, Place(position, OrderStatus.CANCELLED)),
        )
        if name == step
    ]
    if not places:
        lines = (line for flow in registry.flows.values() for line in flow.steps)
        known = {name for line in lines for name in (line.name, line.undo) if name}
        raise UnknownNameError("step", step, known)
    return places


def _require_flow(tx: Tx, registry: Registry, name: str, sees: str | None) -> None:
    """Orders of a flow that is not installed any more are found all the same."""
    known = {flow.name for flow in registry.flows.values()}
    if name not in known and not search(tx, OrderFilter(flow=name), sees=sees, limit=1):
        raise UnknownNameError("flow", name, known)
