"""Answers from outside: a webhook moves the order that awaits it on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conveyor.core.batching import Batcher
from conveyor.core.engine import Engine
from conveyor.core.faults import Desk
from conveyor.core.handling import gather, owed_step
from conveyor.core.order import Order, load
from conveyor.core.outbox import Owed
from conveyor.core.outcome import TurnedAway
from conveyor.core.settling import settle
from conveyor.core.step import Answer
from conveyor.core.transaction import Tx

TAKEN = "taken"
NOT_AWAITED = "not_awaited"
UNKNOWN_ORDER = "unknown_order"


@dataclass(frozen=True, slots=True)
class Given:
    """An answer to an order's step; `note` keeps one that comes before the order awaits it.

    `version` is that of the order which it answers; None: whichever it has.
    """

    order_id: str
    step: str
    answer: Answer
    note: Callable[[Tx], None] | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an answer."""

    what: str
    owed: Owed | None = None


class Answers:
    """Takes answers, group by group; a duplicate or a late one changes nothing."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is started; `take` may be called by any number of requests at once."""
        self._engine = engine
        self._batcher: Batcher[Given, Result] = Batcher(self._handle, engine.limits.group_size)

    async def take(self, given: Given) -> str:
        """Give `TAKEN`, `NOT_AWAITED` or `UNKNOWN_ORDER`, once that is committed.

        Or the word with which the step turned the answer away.
        """
        result = await self._batcher.submit(given)
        return result.what

    async def _handle(self, group: list[Given]) -> Sequence[Result | BaseException]:
        engine = self._engine
        try:
            desk = engine.desk(isolate=False)
            results = await engine.database.run(lambda tx: take_answers(tx, desk, group))
        except Exception:  # noqa: BLE001 - find out whose fault it was, one at a time
            return [await self._alone(given) for given in group]
        await engine.relay.send([r.owed for r in results if r.owed])
        return results

    async def _alone(self, given: Given) -> Result | BaseException:
        engine = self._engine
        try:
            desk = engine.desk(isolate=False)
            results = await engine.database.run(lambda tx: take_answers(tx, desk, [given]))
        except Exception as error:  # noqa: BLE001 - handed to whoever gave the answer
            return error
        await engine.relay.send([r.owed for r in results if r.owed])
        return results[0]


def take_answers(tx: Tx, desk: Desk, group: Sequence[Given]) -> list[Result]:
    """Apply answers to the orders that await them."""
    loaded = load(tx, [given.order_id for given in group])
    gather(tx, desk, [(o, owed_step(desk.registry, o)) for o in loaded.values()])
    results: list[Result] = []
    seen: set[str] = set()
    for given in group:
        order = loaded.get(given.order_id)
        if order is None:
            results.append(Result(UNKNOWN_ORDER))
            continue
        due = owed_step(desk.registry, order)
        if order.id in seen or not _is_awaited(desk, order, due, given):
            if given.note:
                given.note(tx)
            results.append(Result(NOT_AWAITED))
            continue
        outcome = desk.registry.step(due).answered(tx, order, given.answer, desk.now)
        if isinstance(outcome, TurnedAway):
            results.append(Result(outcome.why))
            continue
        seen.add(order.id)
        results.append(Result(TAKEN, settle(tx, desk.registry, order, outcome, desk.now)))
    return results


def _is_awaited(desk: Desk, order: Order, due: str, given: Given) -> bool:
    if due != given.step or given.version not in {None, order.version}:
        return False
    return desk.registry.step(due).awaits(order)
