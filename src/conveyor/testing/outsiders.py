"""Who acts by themselves outside: the carrier that tells of arrivals, restaurants and riders."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from conveyor.flows.food.extension import simulated_restaurants, simulated_riders
from conveyor.flows.shop.carrier import confirmations_of
from conveyor.flows.shop.shipping.messages import Delivered, write_confirmation
from conveyor.flows.shop.shipping.webhooks import WebhookKey, write_secret
from conveyor.system.composition import App
from conveyor.testing.loop import OUTSIDE, START_MS
from conveyor.testing.provider import ParcelTaken

if TYPE_CHECKING:
    from conveyor.testing.world import World

SECRET = write_secret(b"a simulated secret of 32 bytes!!")
PLAYED = {"food"}
"""Flows whose loops are played here."""
TELLINGS = 6
"""How often the carrier tells of an arrival until it is heard."""
_KEY = WebhookKey([SECRET])


def arrived(world: World, parcel: ParcelTaken) -> None:
    """A parcel arrives: the carrier tells of it."""
    world.loop.create_task(_tell(world, parcel), context=OUTSIDE.copy())


async def _tell(world: World, parcel: ParcelTaken) -> None:
    body = write_confirmation(Delivered(parcel.order_id, parcel.tracking), START_MS)
    for go in range(TELLINGS):
        now = START_MS + round(world.loop.elapsed * 1000)
        headers = _KEY.sign(f"msg_{parcel.tracking}", body, now)
        process = world.rng.choice(world.processes)
        try:
            await process.ask(_confirming(headers, body))
        except Exception:
            await asyncio.sleep(2.0**go)
        else:
            return


def _confirming(
    headers: Mapping[str, str], body: bytes
) -> Callable[[App], Coroutine[Any, Any, str]]:
    return lambda app: confirmations_of(app.running).receive(headers, body)


async def crowd(world: World) -> None:
    """Let restaurants and riders look at what there is for them, for as long as it is needed."""
    if not any(facts["flow"] == "food" for facts in world.orders_of.values()):
        return
    never = asyncio.Event()
    while True:
        process = world.rng.choice(world.processes)
        with contextlib.suppress(Exception):  # they look again
            await process.ask(_look)
        await world.pace.rest(never, 1.0)


async def _look(app: App) -> None:
    await simulated_restaurants(app.running).look()
    await simulated_riders(app.running).look()
