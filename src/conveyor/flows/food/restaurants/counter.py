"""The counter: where a restaurant says what it makes of an order."""

from __future__ import annotations

from typing import Any

from conveyor.core import timeline
from conveyor.core.answers import NOT_AWAITED, TAKEN, UNKNOWN_ORDER, Answers, StepAnswer
from conveyor.core.engine import Engine
from conveyor.core.order import load
from conveyor.core.step import Now
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.flows.food.restaurants import store
from conveyor.flows.food.restaurants.steps import CONFIRM


class Counter:
    """Takes the answers of a merchant's restaurants.

    Each gives one word once that is committed: `TAKEN`, `NOT_AWAITED`, `KITCHEN_FULL`, or
    `UNKNOWN_ORDER` when that restaurant has no ticket for it.
    """

    def __init__(self, engine: Engine, answers: Answers) -> None:
        """Nothing is started."""
        self._engine = engine
        self._answers = answers

    async def accept(self, merchant: str, restaurant: str, order_id: str, minutes: int) -> str:
        """Take it on, to be ready in so many minutes."""
        return await self._say(merchant, restaurant, order_id, {"minutes": minutes})

    async def reject(self, merchant: str, restaurant: str, order_id: str, reason: str) -> str:
        """Say no; the customer is told the reason."""
        answer = {"reject": True, "reason": reason}
        return await self._say(merchant, restaurant, order_id, answer)

    async def ready(self, merchant: str, restaurant: str, order_id: str) -> str:
        """Say that it may be fetched: the kitchen has room for another."""
        if not await self._has(merchant, restaurant, order_id):
            return UNKNOWN_ORDER
        now = self._engine.now()
        noted = await self._engine.database.run(lambda tx: note_ready(tx, order_id, now))
        return TAKEN if noted else NOT_AWAITED

    async def _say(
        self, merchant: str, restaurant: str, order_id: str, answer: dict[str, Any]
    ) -> str:
        if not await self._has(merchant, restaurant, order_id):
            return UNKNOWN_ORDER
        return await self._answers.take(StepAnswer(order_id, CONFIRM, answer))

    async def _has(self, merchant: str, restaurant: str, order_id: str) -> bool:
        ticket = await self._engine.database.read(lambda tx: store.ticket_of(tx, order_id))
        return ticket is not None and (ticket.merchant, ticket.restaurant) == (merchant, restaurant)


def note_ready(tx: Tx, order_id: str, now: Now) -> bool:
    """Enter it on the ticket and in the order's story; False: it is not being prepared."""
    order = load(tx, [order_id])[order_id]
    if not store.note_ready(tx, order_id, now.ms):
        return False
    detail = {"what": "the food is ready"}
    timeline.note(
        tx, order_id, order.version, now.ms, TimelineEvent.NOTED, step=CONFIRM, detail=detail
    )
    return True
