"""What befalls a system: outages, processes that stand or die, wrong clocks, backups put back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from conveyor.core.queue import Outgoing
from conveyor.core.step import Now
from conveyor.flows.renewal.subscriptions.model import DAY_MS
from conveyor.testing.invariants.machine import check_bug
from conveyor.testing.loop import START_MS
from conveyor.testing.story import EVERY_PROCESS
from conveyor.testing.town import GARBAGE, STRANGER, settle_strangers

if TYPE_CHECKING:
    from conveyor.testing.story import Event
    from conveyor.testing.world import World


async def trouble(world: World, event: Event) -> None:
    """The provider, messages, the database or the queues are not as they should be."""
    world.troubles.begin(event)
    await asyncio.sleep(event.facts["seconds"])
    world.troubles.end(event)
    world.pace.happened()


async def bug(world: World, event: Event) -> None:
    """The step of one order raises, whenever it is taken."""
    await trouble(world, event)
    check_bug(world)


async def suspend(world: World, event: Event) -> None:
    """A process stands still for a time."""
    process = world.processes[event.facts["process"] % len(world.processes)]
    process.suspend()
    await asyncio.sleep(event.facts["seconds"])
    process.resume()


async def crash(world: World, event: Event) -> None:
    """A process dies, and comes back."""
    number = event.facts["process"] % len(world.processes)
    world.processes[number].kill()
    await asyncio.sleep(event.facts["seconds"])
    if world.processes[number].dead:
        world.start(number)


async def clock(world: World, event: Event) -> None:
    """A process's clock is wrong for a time, or everybody's."""
    whose = event.facts["process"]
    everybody = list(range(len(world.processes)))
    wrong = everybody if whose == EVERY_PROCESS else [whose % len(everybody)]
    world.set_clocks(wrong, event.facts["step"])
    await asyncio.sleep(event.facts["seconds"])
    world.set_clocks(wrong, -event.facts["step"])


async def restore(world: World, event: Event) -> None:
    """The database is backed up, and some time later the backup put in its place."""
    backup = world.store.backup()
    await asyncio.sleep(event.facts["seconds"])
    for process in world.processes:
        process.kill()
    had_turned = _turned(world)
    world.store.restore(backup)
    world.restored = True
    # What was given back to them is given back; going on from the backup, they may be completed.
    world.forgotten |= (had_turned - _turned(world)) | set(world.turned_back)
    # Somebody may cancel an order whose parcel the database knows nothing of any more; or the
    # carrier refuse it under the key of one that is still on its way to being taken.
    dispatched = {it.order_id for it in world.outside.sent if it.operation == "dispatch"}
    world.forgotten |= dispatched - _shipped(world)
    # Or one whose money is taken, and the database knows nothing of it.
    asked = {it.order_id for it in world.outside.sent if it.operation in {"authorize", "charge"}}
    world.unpaid |= asked - _paid(world)
    world.turned_back.clear()
    world.to_refund.clear()
    for number in range(len(world.processes)):
        world.start(number)


def _turned(world: World) -> set[str]:
    return {row[0] for row in world.store.rows("SELECT id FROM orders WHERE ending <> ''")}


def _shipped(world: World) -> set[str]:
    query = "SELECT order_id FROM shipments WHERE carrier_key <> ''"
    return {row[0] for row in world.store.rows(query)}


def _paid(world: World) -> set[str]:
    return {row[0] for row in world.store.rows("SELECT order_id FROM payments")}


async def garbage(world: World, event: Event) -> None:
    """Somebody sends what nobody can read."""
    name, count = event.facts["queue"], event.facts["count"]
    box = world.queues.boxes[name]
    for _ in range(count):
        sent = Outgoing(GARBAGE, group="somebody's")
        world.queues.put(box, world.queues.message(box, sent, world.loop.elapsed))
    world.garbage[name] += count


async def strangers(world: World, event: Event) -> None:
    """Orders of a flow that is not installed here have stood there for days."""
    name, count = f"{STRANGER} {next(world.stranger_ids)}", event.facts["count"]
    registry, long_ago = world.processes[0].app.engine.registry, Now(START_MS - DAY_MS)
    world.store.run(lambda tx: settle_strangers(tx, registry, name, count, long_ago))
