"""What customers do: they order, order again, subscribe, replace cards and cancel."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from conveyor.commerce.orders.intake_consumer import INTAKE, KEY_ATTRIBUTE
from conveyor.commerce.orders.placement import Placed
from conveyor.core.dead_letter import CAUSE
from conveyor.core.queue import DEAD_LETTER_SUFFIX, Outgoing
from conveyor.flows.renewal.subscriptions.beginning import NewSubscription
from conveyor.flows.renewal.subscriptions.changes import Changes
from conveyor.operations.dead_letters import redrive_poison
from conveyor.system.composition import App
from conveyor.testing import lives
from conveyor.testing.loop import START_MS
from conveyor.testing.operators import decide
from conveyor.testing.process import insist
from conveyor.testing.town import MERCHANT, PLAN, SKU, body_of

if TYPE_CHECKING:
    from conveyor.testing.story import Event
    from conveyor.testing.world import World


async def order(world: World, event: Event) -> None:
    """A customer orders, and asks again until there is an answer."""
    facts = event.facts
    if "life" in facts:
        await _live(world, facts)
        return
    match facts.get("via"):
        case "plain":
            await _send_plain(world, facts)
        case "keyed":
            message = Outgoing(_body(facts), attributes=((KEY_ATTRIBUTE, f"key-{facts['n']}"),))
            await _send(world, facts, message)
        case "dead_letter":
            await _redrive(world, facts)
        case _:
            await place(world, facts, facts["process"])


async def _live(world: World, facts: dict[str, Any]) -> None:
    """Order what a life says, and let its people do what they do."""
    body = await lives.order(world, facts)
    if body is not None:
        world.bodies[facts["n"]] = body
        await place(world, facts, facts["process"])
        await lives.meanwhile(world, facts)


def _ordered(world: World, facts: dict[str, Any]) -> dict[str, Any]:
    return world.bodies[facts["n"]] if "life" in facts else body_of(facts)


def _other(world: World, facts: dict[str, Any]) -> dict[str, Any]:
    """Give another order than that."""
    if "life" in facts:
        return world.bodies[facts["n"]] | {"customer": {"id": "another"}}
    return body_of({**facts, "quantity": facts["quantity"] + 1})


async def place(world: World, facts: dict[str, Any], process: int) -> None:
    """Place an order with its key."""
    number = facts["n"]

    async def ask(app: App) -> Any:
        body = app.installed.bodies.read(_ordered(world, facts))
        return await app.placement.place(MERCHANT, lives.key_of(number), body)

    answer = await insist(world, process, ask)
    if isinstance(answer, Placed):
        earlier = world.answered.setdefault(number, answer.order_id)
        if earlier != answer.order_id and not world.restored:
            world.say("one_key_one_order", f"key-{number}: {earlier} and {answer.order_id}")


async def _send_plain(world: World, facts: dict[str, Any]) -> None:
    total = body_of(facts)["total"] / 100
    plain = {"orderId": f"n{facts['n']}", "userId": "c", "items": [SKU] * facts["quantity"]}
    await _send(world, facts, Outgoing(orjson.dumps(plain | {"total": total}).decode()))


def _body(facts: dict[str, Any]) -> str:
    return orjson.dumps(body_of(facts)).decode()


async def _send(world: World, facts: dict[str, Any], message: Outgoing) -> None:
    """Send an order to the intake queue, and again until that answers, or patience is over."""

    async def ask(app: App) -> bool:
        return not await app.parts.queues.queue(INTAKE).send([message])

    if await insist(world, facts["process"], ask):
        world.taken_in.add(f"n{facts['n']}")


async def _redrive(world: World, facts: dict[str, Any]) -> None:
    """An order without a key is among the dead letters since yesterday: somebody redrives it."""
    letters = world.queues.boxes[INTAKE + DEAD_LETTER_SUFFIX]
    dead = Outgoing(_body(facts), attributes=((CAUSE, "its flow was not installed"),))
    letter = world.queues.message(letters, dead, world.loop.elapsed)
    world.queues.put(letters, letter)
    world.taken_in.add(f"n{facts['n']}")

    async def ask(app: App) -> Any:
        return await redrive_poison(app.engine, letter.message_id)

    # Who looked at it and could not put it back hides it from all for its visibility timeout.
    while not await insist(world, facts["process"], ask):
        if letter not in letters.messages.values():
            break
        await asyncio.sleep(letters.spec.visibility_seconds)


async def again(world: World, event: Event) -> None:
    """A customer sends the same once more."""
    facts = world.orders_of.get(event.facts["n"])
    if not facts or ("life" in facts and facts["n"] not in world.bodies):
        return  # it is not ordered yet
    if facts["flow"] != "renewal" and facts.get("via", "api") == "api":
        await place(world, facts, event.facts["process"])


async def another(world: World, event: Event) -> None:
    """A customer uses a key that was answered for another order, again and again: it is refused."""
    number = event.facts["n"]
    facts = world.orders_of.get(number)
    # What a backup has forgotten may be ordered otherwise, with the same key.
    if not facts or number not in world.answered or world.story.kinds & {"restore"}:
        return
    other = _other(world, facts)

    async def ask(app: App) -> Any:
        body = app.installed.bodies.read(other)
        return await app.placement.place(MERCHANT, f"key-{number}", body)

    for _ in range(event.facts["times"]):
        answer = await insist(world, event.facts["process"], ask)
        if isinstance(answer, Placed):
            world.say("one_key_one_body", f"key-{number} placed {answer.order_id} with another")


async def subscribe(world: World, event: Event) -> None:
    """A subscription begins, and is due at once; or comes from elsewhere, paid until long ago."""
    facts = event.facts
    name, starts, paid_until = f"s{facts['n']}", "", ""
    if facts.get("behind_days"):
        # From the first of a month to the first of the next: so much was paid.
        day = datetime.fromtimestamp(START_MS / 1000, UTC) - timedelta(facts["behind_days"])
        first = day.replace(day=1, tzinfo=None)
        until = (first + timedelta(days=31)).replace(day=1)
        starts, paid_until = first.isoformat(), until.isoformat()
    new = NewSubscription(name, "c", PLAN.id, facts["card"], starts=starts, paid_until=paid_until)
    await insist(world, facts["process"], lambda app: Changes(app.engine).begin(MERCHANT, [new]))


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


async def cancel(world: World, event: Event) -> None:
    """A customer cancels."""
    for order_id in world.order_ids(event.facts["n"])[:1]:
        await decide(world, event.facts["process"], "cancel", order_id)
