"""The dispatch: where a rider says where they are and what they make of an order."""

from __future__ import annotations

from conveyor.core.answers import NOT_AWAITED, TAKEN, UNKNOWN_ORDER, Answers, StepAnswer
from conveyor.core.engine import Engine
from conveyor.core.order import load
from conveyor.core.place import due_step
from conveyor.core.transaction import Tx
from conveyor.flows.food.riders import store
from conveyor.flows.food.riders.model import ACCEPT, DECLINE, DELIVER_IT, PICK_UP, Point
from conveyor.flows.food.riders.steps import ASSIGN, DELIVER, note

MAX_LOOKS = 3
"""How often an order is looked at anew that moves from step to step meanwhile."""


class Dispatch:
    """Takes what a merchant's riders say.

    Each gives one word once that is committed: `TAKEN`, `NOT_AWAITED`, `NOT_NOW`, `NOT_OFFERED`
    or `UNKNOWN_ORDER`.
    """

    def __init__(self, engine: Engine, answers: Answers) -> None:
        """Nothing is started."""
        self._engine = engine
        self._answers = answers

    async def accept(self, merchant: str, rider: str, order_id: str) -> str:
        """Take the order: from now on it is this rider's and nobody else's."""
        return await self._say(merchant, rider, order_id, ACCEPT)

    async def decline(self, merchant: str, rider: str, order_id: str) -> str:
        """Leave it to the next, or give it back before the pick-up."""
        return await self._say(merchant, rider, order_id, DECLINE)

    async def picked_up(self, merchant: str, rider: str, order_id: str) -> str:
        """Say that the food is on its way."""
        return await self._say(merchant, rider, order_id, PICK_UP)

    async def delivered(self, merchant: str, rider: str, order_id: str) -> str:
        """Say that the customer has it."""
        return await self._say(merchant, rider, order_id, DELIVER_IT)

    async def move(self, merchant: str, rider: str, place: Point) -> bool:
        """Say where the rider is; False: there is no such rider."""
        now = self._engine.now()
        return await self._engine.database.run(
            lambda tx: store.move(tx, merchant, rider, place, now.ms)
        )

    async def _say(self, merchant: str, rider: str, order_id: str, says: str) -> str:
        what, asked = NOT_AWAITED, ""
        for _ in range(MAX_LOOKS):
            step = await self._engine.database.read(lambda tx: self._step(tx, merchant, order_id))
            if step is None:
                return UNKNOWN_ORDER
            if what != NOT_AWAITED or step == asked:
                break
            what, asked = await self._give(order_id, step, rider, says), step
        return what

    async def _give(self, order_id: str, step: str, rider: str, says: str) -> str:
        now = self._engine.now()
        noted: list[bool] = []
        given = StepAnswer(
            order_id,
            step if step in {ASSIGN, DELIVER} else DELIVER,
            {"rider": rider, "says": says},
            lambda tx: noted.append(note(tx, order_id, rider, says, now)),
        )
        what = await self._answers.take(given)
        return TAKEN if what == NOT_AWAITED and noted and noted[-1] else what

    def _step(self, tx: Tx, merchant: str, order_id: str) -> str | None:
        order = load(tx, [order_id], lock=False).get(order_id)
        if order is None or order.merchant != merchant:
            return None
        return due_step(self._engine.registry.flows, order)
