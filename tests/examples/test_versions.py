"""A new version of a flow is deployed while orders of the old one are on their way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.examples.stories import order_of, place, status_of, steps_done

from conveyor.core import timeline
from conveyor.core.answers import TAKEN, StepAnswer
from conveyor.core.timeline_event import TimelineEvent
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.installation import installation
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import Machine

A_WHILE = 120.0
LONG = 2_700.0
GIFT: dict[str, Any] = {
    "flow": "gift",
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": 1_177,
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}
OLD_WAY = [
    "payments.authorize",
    "inventory.reserve",
    "gifts.wrap",
    "payments.capture",
    "shipping.ship",
    "orders.complete",
]
NEW_WAY = [*OLD_WAY[:2], "gifts.engrave", *OLD_WAY[2:]]


def deploy(world: Machine, name: str) -> None:
    """Let the next process on this directory have another extension."""
    world.settings = Settings(data=world.directory, extensions=f"tests.examples.gifts:{name}")
    world.installed = installation(world.settings)


async def wrap(app: App, order_id: str) -> None:
    """Answer the step that waits."""
    assert await app.answers.take(StepAnswer(order_id, "gifts.wrap", {"paper": "red"})) == TAKEN


async def place_and_wait(app: App) -> str:
    """Place an order that then awaits the wrapping."""
    order_id = await place(app, GIFT)
    await asyncio.sleep(A_WHILE)
    assert await status_of(app, order_id) == "awaiting"
    return order_id


async def last_try(app: App, order_id: str) -> int:
    """Read how often a message of the order had been received when it failed last."""
    entries = await app.parts.database.read(lambda tx: timeline.of_order(tx, order_id))
    return max(entry.attempt for entry in entries if entry.event == TimelineEvent.FAULT)


def test_an_order_in_flight_keeps_the_version_it_started_with(tmp_path: Path) -> None:
    world = Machine(tmp_path)
    deploy(world, "BEFORE")
    old = world.run(place_and_wait)

    async def after_the_deployment(app: App) -> None:
        new = await place_and_wait(app)
        for order_id in (old, new):
            await wrap(app, order_id)
        await asyncio.sleep(A_WHILE)
        assert [(await order_of(app, i)).flow for i in (old, new)] == ["gift@1", "gift@2"]
        assert [await status_of(app, i) for i in (old, new)] == ["completed"] * 2
        assert await steps_done(app, old) == OLD_WAY
        assert await steps_done(app, new) == NEW_WAY

    deploy(world, "BOTH")
    world.run(after_the_deployment)
    check_tokens(world.directory)


def test_a_process_without_the_version_leaves_its_orders_alone(tmp_path: Path) -> None:
    """A version is taken away too soon: its orders wait, others go on, and nothing is parked."""
    world = Machine(tmp_path)
    deploy(world, "BEFORE")
    old = world.run(place_and_wait)

    async def without_it(app: App) -> None:
        await asyncio.sleep(LONG)  # the deadline comes, and its message more often than faults may
        new = await place_and_wait(app)
        await wrap(app, new)
        await asyncio.sleep(A_WHILE)
        assert await status_of(app, new) == "completed"
        assert await status_of(app, old) == "awaiting"
        # Noted each time, also beyond the last try, when it would be parked: its group commits.
        assert await last_try(app, old) > app.settings.max_receives

    async def with_it_again(app: App) -> None:
        await asyncio.sleep(A_WHILE)
        await wrap(app, old)
        await asyncio.sleep(A_WHILE)
        assert await status_of(app, old) == "completed"

    deploy(world, "TOO_SOON")
    world.run(without_it)
    deploy(world, "BOTH")
    world.run(with_it_again)
