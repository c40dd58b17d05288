"""Plays the lives that a user's flow brings: it is set up, ordered, and answered by its people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from conveyor.core.errors import ConveyorError
from conveyor.extension import Port
from conveyor.system.composition import App
from conveyor.testing.process import PATIENCE_SECONDS, TRIES, UnheardError

if TYPE_CHECKING:
    from conveyor.testing.proving import Life
    from conveyor.testing.world import World


def lives_in(world: World) -> dict[str, Life]:
    """Give the lives that the story has."""
    names = [facts["life"] for facts in world.orders_of.values() if "life" in facts]
    return {name: world.own.lives[name] for name in names} if world.own else {}


def ports_of(world: World) -> dict[Port[Any], object]:
    """Give whom they call, made anew: lives that meet have the same."""
    return {port: it for life in lives_in(world).values() for port, it in life.ports().items()}


async def set_up(world: World) -> None:
    """Make what the lives need, before anything is disturbed."""
    for life in lives_in(world).values():
        if life.set_up is not None:
            await world.processes[0].accompany(_of(life.set_up))


async def order(world: World, facts: dict[str, Any]) -> dict[str, Any] | None:
    """Give what a customer orders; None: it was not to be had."""
    life, key = lives_in(world)[facts["life"]], key_of(facts["n"])
    made = life.order
    if callable(made):
        body = await _persist(world, facts, "order", lambda app: made(app, key))
    else:
        body = made
    return None if body is None else {**body, "reference": f"n{facts['n']}"}


async def meanwhile(world: World, facts: dict[str, Any]) -> None:
    """Let people do what they do once it is placed."""
    do, order_id = lives_in(world)[facts["life"]].meanwhile, world.answered.get(facts["n"])
    if do is not None and order_id is not None:
        await _persist(world, facts, "meanwhile", lambda app: do(app, order_id))


async def check(world: World) -> None:
    """Hold each order against what its life says of its end, once all is over.

    What was disturbed may end otherwise; if it ends as it should, what is checked holds.
    """
    if world.restored:
        return  # what those outside remember, a backup has forgotten
    for number, order_id in sorted(world.answered.items()):
        facts = world.orders_of[number]
        if "life" in facts:
            await _check_one(world, order_id, facts)


async def _check_one(world: World, order_id: str, facts: dict[str, Any]) -> None:
    life, whose = lives_in(world)[facts["life"]], f"the life {facts['life']!r} of n{facts['n']}"
    query = "SELECT status, reason FROM orders WHERE id = ?"
    status, reason = world.store.rows(query, order_id)[0]
    ends = (life.ends,) if isinstance(life.ends, str) else tuple(life.ends)
    if status not in ends:
        if not world.story.faults:
            because = f" ({reason})" if reason else ""
            world.say("calm_ends_well", f"{whose} is {status}{because}, not {' or '.join(ends)}")
    elif life.check is not None and not _was_discarded(world, order_id):
        try:
            await life.check(world.processes[0].app, order_id)
        except AssertionError as error:
            world.say("own_check", f"{whose}: {error}")


def _was_discarded(world: World, order_id: str) -> bool:
    query = "SELECT 1 FROM timeline WHERE order_id = ? AND event = 'discarded'"
    return bool(world.store.rows(query, order_id))


def key_of(number: int) -> str:
    """Give the key by which a customer with this number orders."""
    return f"key-{number}"


async def _persist(world: World, facts: dict[str, Any], what: str, do: Callable[[App], Any]) -> Any:
    """Do it, and again after a death or an outage, with one process after the other."""
    for go in range(TRIES):
        process = world.processes[(facts["process"] + go) % len(world.processes)]
        try:
            return await process.accompany(_of(do))
        except (ConveyorError, UnheardError):
            await asyncio.sleep(PATIENCE_SECONDS * (go + 1))
        except Exception as error:
            where = f"`{what}` of the life {facts['life']!r} of n{facts['n']}"
            world.say("own_life_breaks", f"{where}: {type(error).__name__}: {error}")
            break
    return None


def _of(do: Callable[[App], Any]) -> Callable[[App], Coroutine[Any, Any, Any]]:
    async def awaited(app: App) -> Any:
        return await do(app)

    return awaited
