"""Parked orders of a pile: what would become of each, and doing it."""

from __future__ import annotations

from collections.abc import Mapping

from conveyor.core import attempts
from conveyor.core.actor import Actor
from conveyor.core.attempts import Attempts
from conveyor.core.engine import Engine
from conveyor.core.interventions import Decision
from conveyor.core.transaction import Tx
from conveyor.operations import decisions
from conveyor.operations.desk.judging import HELD_BACK, judge
from conveyor.operations.desk.members import Cursor, members
from conveyor.operations.desk.piles import find_pile
from conveyor.operations.desk.wanted import Item, Wanted
from conveyor.operations.previews import Action, Would, judged

_WHY: Mapping[Would, str] = {
    Would.FLOW_MISSING: "unsafe: its flow is not installed here",
    Would.TOO_LATE: "it is too late to undo it: redrive it, or discard it with a reason",
    Would.STILL_OWES: "something is left to undo: redrive it, or give it up and undo it",
    Would.NOT_PARKED: "it is not parked any more",
}


async def look_at(engine: Engine, wanted: Wanted, after: Cursor, limit: int) -> list[Item]:
    """Say of some of them what would be done to each now."""
    return await engine.database.read(lambda tx: _look(tx, engine, wanted, after, limit))


async def make(engine: Engine, wanted: Wanted, order_id: str, by: Actor) -> bool:
    """Decide about one, in a transaction of its own; says whether that was still possible."""
    sees, action = wanted.sees, wanted.action
    if action == Action.REDRIVE:
        made = await decisions.redrive(engine, order_id, sees, by=by)
    elif action == Action.COMPENSATE:
        made = await decisions.compensate(engine, order_id, sees, by.why, by=by)
    else:
        made = await decisions.discard(engine, order_id, sees, by.why, by=by)
    return made is not None and made.what == Decision.ACCEPTED


def _look(tx: Tx, engine: Engine, wanted: Wanted, after: Cursor, limit: int) -> list[Item]:
    pile = find_pile(tx, wanted.pile, wanted.sees)
    if pile is None:
        return []
    until, chosen = wanted.until, wanted.chosen
    them = members(tx, pile, wanted.sees, limit=limit, after=after, until=until, chosen=chosen)
    made = attempts.latest(tx, [it.order.id for it in them]) if them else Attempts()
    verdicts = judge(tx, engine, them, made) if wanted.action == Action.REDRIVE else {}
    items = []
    for it in them:
        verdict = verdicts.get(it.order.id)
        told = judged(tx, engine.registry, wanted.action, it.order, made)
        left = "" if told.would == Would.ACCEPTED else _WHY.get(told.would, told.would)
        if not left and verdict and verdict.verdict in HELD_BACK:
            left = f"{verdict.verdict}: {verdict.why}"
        items.append(Item(it.order.id, it.cursor, told.does, left))
    return items
