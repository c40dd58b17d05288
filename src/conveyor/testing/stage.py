"""How each kind of event of a story is played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conveyor.testing import customers, misfortune, operators
from conveyor.testing.story import ITS_OWN, WHO_ASKED

if TYPE_CHECKING:
    from conveyor.testing.provider import Sent
    from conveyor.testing.story import Event
    from conveyor.testing.world import World

Play = Callable[["World", "Event"], Coroutine[Any, Any, None]]

PLAYS: dict[str, Play] = {
    "order": customers.order,
    "again": customers.again,
    "another": customers.another,
    "subscribe": customers.subscribe,
    "card": customers.card,
    "unsubscribe": customers.unsubscribe,
    "cancel": customers.cancel,
    "scan": operators.scan,
    "operator": operators.operator,
    "refund": operators.refund,
    "pause": operators.pause,
    "poison": operators.poison,
    "stock": operators.stock,
    "provider": misfortune.trouble,
    "messages": misfortune.trouble,
    "database": misfortune.trouble,
    "queues": misfortune.trouble,
    "bug": misfortune.bug,
    "suspend": misfortune.suspend,
    "crash": misfortune.crash,
    "clock": misfortune.clock,
    "restore": misfortune.restore,
    "garbage": misfortune.garbage,
    "strangers": misfortune.strangers,
}


async def play(world: World, event: Event) -> None:
    """Let an event happen at its time, or so long after the request that it comes upon."""
    if upon := event.facts.get("upon"):
        sent = await world.outside.asked_for(upon)
        if sent is None:
            return
        event = _of_request(world, event, sent)
    await asyncio.sleep(event.at)
    try:
        await PLAYS[event.kind](world, event)
    except Exception as error:
        world.say("request_breaks", f"{event.kind}: {type(error).__name__}: {error}")


def _of_request(world: World, event: Event, sent: Sent) -> Event:
    """Let it befall whoever asked, and concern the order that it was asked for."""
    facts = dict(event.facts)
    if facts.get("process") == WHO_ASKED:
        facts["process"] = sent.by.number
    if facts.get("n") == ITS_OWN:
        facts["n"] = world.number_of(sent.order_id)
    return replace(event, facts=facts)
