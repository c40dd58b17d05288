"""What operators do: decide about orders, refund, redrive poison, run renewals, count stock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from conveyor.core import paused_services
from conveyor.core.actor import NOBODY
from conveyor.core.interventions import Decision
from conveyor.core.transaction import Tx
from conveyor.flows.renewal.scan import Scan, Scanned
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.operations import decisions, refunds
from conveyor.operations.dead_letters import list_poison, redrive_poison
from conveyor.operations.parked_orders import parked_orders
from conveyor.operations.refunds import NotRefunded, Refunded
from conveyor.operations.service_pauses import pause_service, resume_service
from conveyor.system.composition import App
from conveyor.testing.process import insist
from conveyor.testing.town import MERCHANT, SKU

if TYPE_CHECKING:
    from conveyor.testing.story import Event
    from conveyor.testing.world import World


class Promise(NamedTuple):
    """An order is to turn back, it was said at this time; or, unless its parcel was taken."""

    at: float
    unless_taken: bool


async def scan(world: World, event: Event) -> None:
    """An operator has what is due renewed now."""

    async def renew(app: App) -> Scanned:
        scanning = Scan(app.engine)
        run = replace(scanning.run_of(MERCHANT), catch_up=catch_up)
        world.caught_up += catch_up
        return await scanning.some(run)

    catch_up: bool = event.facts["catch_up"]
    await insist(world, event.facts["process"], renew)


async def operator(world: World, event: Event) -> None:
    """An operator decides about whatever is parked."""
    what = event.facts["what"]
    for order_id in parked(world):
        if what != "compensate" or not _is_known_to_come(world, order_id):
            await decide(world, event.facts["process"], what, order_id)


def _is_known_to_come(world: World, order_id: str) -> bool:
    """Whether its parcel has a tracking number, and the carrier says that it is not lost."""
    known = world.store.rows("SELECT carrier_key FROM shipments WHERE order_id = ?", order_id)
    parcels = [world.outside.parcels.get(key) for (key,) in known]
    return any(parcel and parcel.arrives_at is not None for parcel in parcels)


def parked(world: World) -> list[str]:
    """Give the parked orders."""
    return [o.order.id for o in world.store.run(lambda tx: parked_orders(tx, None, limit=50))]


async def decide(world: World, process: int, what: str, order_id: str) -> None:
    """Let an operator decide about one order."""

    async def ask(app: App) -> Any:
        if what == "redrive":
            return await decisions.redrive(app.engine, order_id, MERCHANT)
        chosen = {
            "compensate": decisions.compensate,
            "discard": decisions.discard,
            "cancel": decisions.cancel,
        }[what]
        return await chosen(app.engine, order_id, MERCHANT, "an operator says so")

    answer: Any = await insist(world, process, ask)
    accepted = getattr(answer, "what", "") == Decision.ACCEPTED or isinstance(
        answer, decisions.Cancelled
    )
    if what in {"compensate", "cancel"} and accepted and not _is_refunded(world, order_id):
        said = Promise(world.loop.elapsed, bool(getattr(answer, "unless", "")))
        world.turned_back.setdefault(order_id, said)


def _is_refunded(world: World, order_id: str) -> bool:
    """Whether it is being refunded, or was: then it does not turn back."""
    query = "SELECT 1 FROM orders WHERE id = ? AND ending = 'refunded'"
    return bool(world.store.rows(query, order_id))


async def refund(world: World, event: Event) -> None:
    """An operator has the money of all that is completed given back, or several do it at once."""
    process = event.facts["process"]
    query = "SELECT id FROM orders WHERE status = 'completed' AND merchant = ? ORDER BY id"

    async def ask(order_id: str, asked: int) -> None:
        def refund_it(app: App) -> Coroutine[Any, Any, Refunded | NotRefunded | None]:
            return refunds.refund(app.engine, order_id, MERCHANT, "an operator says so")

        if isinstance(await insist(world, asked, refund_it), Refunded):
            world.to_refund.add(order_id)

    for (order_id,) in world.store.rows(query, MERCHANT):
        operators = range(event.facts["times"])
        await asyncio.gather(*(ask(order_id, process + n) for n in operators))


async def pause(world: World, event: Event) -> None:
    """An operator pauses a service, and lets it go on after a while."""
    services, process = world.installed.services, event.facts["process"]
    name = services[event.facts["service"] % len(services)]
    await insist(world, process, lambda app: pause_service(app, name, NOBODY))
    await asyncio.sleep(event.facts["seconds"])
    await insist(world, process, lambda app: resume_service(app, name, NOBODY))


def resume_all(world: World) -> None:
    """Let whatever is paused go on: a backup that was put back may have it so, from before."""

    def resume(tx: Tx) -> None:
        for it in paused_services.paused(tx):
            paused_services.resume(tx, it.service)

    world.store.run(resume)
    world.pace.happened()


async def poison(world: World, event: Event) -> None:
    """An operator redrives every dead letter, or several do it at once."""
    process = event.facts["process"]
    found = await insist(world, process, lambda app: list_poison(app.engine)) or []

    async def redrive(message_id: str, asked: int) -> None:
        await insist(world, asked, lambda app: redrive_poison(app.engine, message_id))

    for letter in found:
        operators = range(event.facts.get("times", 1))
        await asyncio.gather(*(redrive(letter.message_id, process + n) for n in operators))


async def stock(world: World, event: Event) -> None:
    """Somebody counts the stock anew."""
    count = event.facts["count"]

    async def ask(app: App) -> object:
        return await app.engine.database.run(lambda tx: set_stock(tx, MERCHANT, SKU, count))

    await insist(world, event.facts["process"], ask)
