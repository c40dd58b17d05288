"""Clears a pile: first what it would do, then doing it, some orders at a time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from conveyor.core.actor import Actor
from conveyor.core.engine import Engine
from conveyor.operations.desk import messages, order_piles
from conveyor.operations.desk.members import START, Cursor
from conveyor.operations.desk.wanted import Item, Wanted

PAGE = 200
BATCH_SECONDS = 1.5
"""A batch is over after so long, however many it has done."""
SAMPLE = 3


@dataclass(slots=True)
class Outcome:
    """So many orders of which the same would become; some of them are named."""

    orders: int = 0
    sample: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """What would become of each; `acts` counts those to which something would be done.

    The keys of `outcomes` say whether, and what.
    """

    acts: int = 0
    total: int = 0
    outcomes: dict[tuple[bool, str], Outcome] = field(default_factory=dict)

    def add(self, order_id: str, does: str, left: str) -> None:
        """Count an order in: either it `does` something, or it is `left` as it is, and why."""
        outcome = self.outcomes.setdefault((not left, left or does), Outcome())
        outcome.orders += 1
        self.total += 1
        self.acts += not left
        if len(outcome.sample) < SAMPLE:
            outcome.sample.append(order_id)


@dataclass(slots=True)
class Batch:
    """What was done: so many orders, and those `left` as they were, by why.

    `after` is where the next batch begins; None: nothing is left to do.
    """

    done: int = 0
    left: Counter[str] = field(default_factory=Counter)
    after: Cursor | None = None


async def dry_run(engine: Engine, wanted: Wanted) -> Plan:
    """Say what would become of all that is wanted; changes nothing."""
    plan, after = Plan(), START
    while True:
        page = await _look(engine, wanted, after, PAGE)
        for it in page:
            plan.add(it.id, it.does, it.left)
        if len(page) < PAGE:
            return plan
        after = page[-1].cursor


async def clear_some(engine: Engine, wanted: Wanted, after: Cursor, rate: int, by: Actor) -> Batch:
    """Do it to about a second's worth of orders, each judged again before; `by.why` is the reason.

    Each is decided about in a transaction of its own, one after the other, in their order.
    """
    batch, begun = Batch(), time.monotonic()
    page = await _look(engine, wanted, after, rate)
    for number, it in enumerate(page):
        await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
        if it.left:
            batch.left[it.left] += 1
        elif await _make(engine, wanted, it.id, by):
            batch.done += 1
        else:
            batch.left["it had moved on meanwhile"] += 1
        batch.after = it.cursor
        if time.monotonic() - begun > BATCH_SECONDS:
            return batch
    if len(page) < rate:
        batch.after = None
    return batch


async def _look(engine: Engine, wanted: Wanted, after: Cursor, limit: int) -> list[Item]:
    of_messages = wanted.pile.startswith(messages.PREFIX)
    look = messages.look_at if of_messages else order_piles.look_at
    return await look(engine, wanted, after, limit)


async def _make(engine: Engine, wanted: Wanted, of: str, by: Actor) -> bool:
    """Whether it was done."""
    of_messages = wanted.pile.startswith(messages.PREFIX)
    make = messages.make if of_messages else order_piles.make
    return await make(engine, wanted, of, by)
