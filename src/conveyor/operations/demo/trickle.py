"""Orders that go on being placed once the demonstration is over, for whoever looks around in it."""

from __future__ import annotations

import asyncio

import orjson

from conveyor.core.supervision import Loop, wait_for_stop
from conveyor.operations.demo.stage import Demonstration
from conveyor.system.composition import App

PAUSE_SECONDS = 1.0
RESTOCK_EVERY = 500
"""After so many orders what can be ordered is made anew, since it runs out."""


def trickle(shown: Demonstration, app: App) -> Loop:
    """Give a loop that places an order now and then, for as long as there are any."""
    merchant, bodies = app.settings.intake_merchant, app.installed.bodies

    async def run(stop: asyncio.Event) -> None:
        for number, order in enumerate(shown.trickle()):
            if number % RESTOCK_EVERY == 0:
                await shown.set_up(app, merchant)
            body = bodies.read_json(orjson.dumps(order))
            await app.placement.place(merchant, "", body)
            await wait_for_stop(stop, PAUSE_SECONDS)
            if stop.is_set():
                return
        await stop.wait()

    return run
