"""How each event of a story is played: what customers, operators and misfortune do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from conveyor.app import decisions
from conveyor.app.composition import App
from conveyor.app.dead_letters import list_poison, parked_orders, redrive_poison
from conveyor.app.renewal_scan import Scan, Scanned
from conveyor.messaging.errors import ConveyorError
from conveyor.messaging.interventions import ACCEPTED
from conveyor.messaging.queue import Outgoing
from conveyor.services.inventory.store import set_stock
from conveyor.services.orders.intake_consumer import INTAKE
from conveyor.services.orders.placement import Placed
from conveyor.services.subscriptions.beginning import Wish
from conveyor.services.subscriptions.changes import Changes
from conveyor.testing.process import UnheardError
from conveyor.testing.town import MERCHANT, PLAN, SKU, body_of

if TYPE_CHECKING:
    from conveyor.testing.story import Event
    from conveyor.testing.world import World

T = TypeVar("T")

TRIES = 8
PATIENCE_SECONDS = 5.0
NO_ANSWER = (ConveyorError, UnheardError)
Play = Callable[["World", "Event"], Coroutine[Any, Any, None]]


async def insist(
    world: World, process: int, what: Callable[[App], Coroutine[Any, Any, T]]
) -> T | None:
    """Ask a process, and again, one after the other, until one answers; None: none did."""
    for go in range(TRIES):
        try:
            return await world.processes[(process + go) % len(world.processes)].ask(what)
        except NO_ANSWER:
            await asyncio.sleep(PATIENCE_SECONDS * (go + 1))
    return None


async def order(world: World, event: Event) -> None:
    """A customer orders, and asks again until there is an answer."""
    facts = event.facts
    if facts.get("via") == "intake":
        await _take_in(world, facts)
        return
    await place(world, facts, facts["process"])


async def place(world: World, facts: dict[str, Any], process: int) -> None:
    """Place an order with its key."""
    number = facts["n"]

    async def ask(app: App) -> Any:  # noqa: ANN401 - whatever placing answers
        body = app.installed.bodies.read(body_of(facts))
        return await app.placement.place(MERCHANT, f"key-{number}", body)

    answer = await insist(world, process, ask)
    if isinstance(answer, Placed):
        earlier = world.answered.setdefault(number, answer.order_id)
        if earlier != answer.order_id and not world.restored:
            world.say("one_key_one_order", f"key-{number}: {earlier} and {answer.order_id}")
        world.flows[number] = facts["flow"]


async def _take_in(world: World, facts: dict[str, Any]) -> None:
    total = body_of(facts)["total"] / 100
    plain = {"orderId": f"n{facts['n']}", "userId": "c", "items": [SKU] * facts["quantity"]}
    message = Outgoing(orjson.dumps(plain | {"total": total}).decode())
    world.taken_in.add(f"n{facts['n']}")

    async def ask(app: App) -> bool:
        return not await app.parts.queues.queue(INTAKE).send([message])

    await insist(world, facts["process"], ask)


async def again(world: World, event: Event) -> None:
    """A customer sends the same once more."""
    facts = world.orders_of.get(event.facts["n"])
    if facts and facts["flow"] != "renewal" and facts.get("via") != "intake":
        await place(world, facts, event.facts["process"])


async def subscribe(world: World, event: Event) -> None:
    """A subscription begins, and is due at once."""
    facts = event.facts
    wish = Wish(f"s{facts['n']}", "c", PLAN.id, facts["card"])
    await insist(world, facts["process"], lambda app: Changes(app.engine).begin(MERCHANT, [wish]))


async def card(world: World, event: Event) -> None:
    """A customer replaces the card."""
    name, method = f"s{event.facts['n']}", event.facts["card"]
    await insist(
        world,
        event.facts["process"],
        lambda app: Changes(app.engine).replace_card(MERCHANT, name, method),
    )


async def unsubscribe(world: World, event: Event) -> None:
    """A customer ends a subscription."""
    name = f"s{event.facts['n']}"
    await insist(
        world, event.facts["process"], lambda app: Changes(app.engine).cancel(MERCHANT, name)
    )


async def scan(world: World, event: Event) -> None:
    """An operator has what is due renewed now."""

    async def run(app: App) -> Scanned:
        scanning = Scan(app.engine)
        return await scanning.some(scanning.run_of(MERCHANT))

    await insist(world, event.facts["process"], run)


async def cancel(world: World, event: Event) -> None:
    """A customer cancels."""
    for order_id in world.order_ids(event.facts["n"])[:1]:
        await decide(world, event.facts["process"], "cancel", order_id)


async def operator(world: World, event: Event) -> None:
    """An operator decides about whatever is parked."""
    what = event.facts["what"]
    for order_id in parked(world):
        await decide(world, event.facts["process"], what, order_id)


def parked(world: World) -> list[str]:
    """Give the parked orders."""
    return [o.order.id for o in world.store.run(lambda tx: parked_orders(tx, None, limit=50))]


async def decide(world: World, process: int, what: str, order_id: str) -> None:
    """Let an operator decide about one order."""

    async def ask(app: App) -> Any:  # noqa: ANN401 - whatever the decision answers
        if what == "redrive":
            return await decisions.redrive(app.engine, order_id, MERCHANT)
        chosen = {
            "compensate": decisions.compensate,
            "discard": decisions.discard,
            "cancel": decisions.cancel,
        }[what]
        return await chosen(app.engine, order_id, MERCHANT, "an operator says so")

    answer: Any = await insist(world, process, ask)
    accepted = getattr(answer, "what", "") == ACCEPTED or isinstance(answer, decisions.Cancelled)
    if what in {"compensate", "cancel"} and accepted:
        world.turned_back.setdefault(order_id, world.loop.elapsed)


async def poison(world: World, event: Event) -> None:
    """An operator redrives every dead letter."""
    process = event.facts["process"]
    found = await insist(world, process, lambda app: list_poison(app.engine)) or []
    for letter in found:
        await insist(
            world,
            process,
            lambda app, of=letter.message_id: redrive_poison(app.engine, of),  # type: ignore[misc]
        )


async def stock(world: World, event: Event) -> None:
    """Somebody counts the stock anew."""
    count = event.facts["count"]

    async def ask(app: App) -> object:
        return await app.engine.database.run(lambda tx: set_stock(tx, MERCHANT, SKU, count))

    await insist(world, event.facts["process"], ask)


# --- misfortune -----------------------------------------------------------------------------------


async def trouble(world: World, event: Event) -> None:
    """The provider, messages, the database or the queues are not as they should be."""
    world.troubles.append(event)
    await asyncio.sleep(event.facts["seconds"])
    world.troubles.remove(event)
    world.pace.happened()


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
    """A process's clock is wrong for a time."""
    number = event.facts["process"] % len(world.processes)
    world.clocks[number] += round(event.facts["step"] * 1000)
    world.set_clocks()
    await asyncio.sleep(event.facts["seconds"])
    world.clocks[number] -= round(event.facts["step"] * 1000)
    world.set_clocks()


async def restore(world: World, event: Event) -> None:
    """The database is backed up, and some time later the backup put in its place."""
    backup = world.store.backup()
    await asyncio.sleep(event.facts["seconds"])
    for process in world.processes:
        process.kill()
    world.store.restore(backup)
    world.restored = True
    world.forgotten |= set(world.turned_back)
    world.turned_back.clear()
    for number in range(len(world.processes)):
        world.start(number)


PLAYS: dict[str, Play] = {
    "order": order,
    "again": again,
    "subscribe": subscribe,
    "card": card,
    "unsubscribe": unsubscribe,
    "scan": scan,
    "cancel": cancel,
    "operator": operator,
    "poison": poison,
    "stock": stock,
    "provider": trouble,
    "messages": trouble,
    "database": trouble,
    "queues": trouble,
    "suspend": suspend,
    "crash": crash,
    "clock": clock,
    "restore": restore,
}
