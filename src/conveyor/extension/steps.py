"""Steps that somebody outside answers, and what an order was placed with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import orjson
from pydantic import BaseModel

from conveyor.commerce.orders.model import OrderBody
from conveyor.core.elsewhere import TakenElsewhere
from conveyor.core.order import Order
from conveyor.core.outcome import Outcome, Park, Refused
from conveyor.core.step import Answer, LocalStep, Now, StepHandler
from conveyor.core.transaction import Tx

M = TypeVar("M", bound=BaseModel)
B = TypeVar("B", bound=OrderBody)


def body_of(order: Order, model: type[B]) -> B:
    """Give what was placed, as its flow's typed body. Raises pydantic's `ValidationError`.

    A field that is added to the model later needs a default: older orders do not have it.
    """
    return order.body_as(model)


class Answerable(StepHandler, Generic[M]):
    """A step that is answered over the API or with `conveyor orders answer`.

    `decide` takes the answer, of the model `answer`; an answer that is not of it is turned away
    before it gets here. `overdue` decides when nobody answered in time; without it the order is
    parked.
    """

    answer: type[M]
    _decide: Callable[[Tx, Order, M, Now], Outcome]
    _overdue: Callable[[Tx, Order, Now], Outcome] | None

    def answered(self, tx: Tx, order: Order, answer: Answer, now: Now) -> Outcome:
        """Take the answer the order awaits, as JSON values. Raises pydantic's `ValidationError`."""
        typed = self.answer.model_validate_json(orjson.dumps(dict(answer)))
        return self._decide(tx, order, typed, now)

    def overdue(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """Decide without an answer."""
        return (self._overdue or super().overdue)(tx, order, now)


class AwaitingStep(Answerable[M], LocalStep):
    """A step that somebody answers who is asked in whatever way.

    `begin` gives `Awaiting` with the time to answer in, or another outcome where nobody need be
    asked.
    """

    def __init__(
        self,
        begin: Callable[[Tx, Order, Now], Outcome],
        decide: Callable[[Tx, Order, M, Now], Outcome],
        *,
        answer: type[M],
        overdue: Callable[[Tx, Order, Now], Outcome] | None = None,
    ) -> None:
        super().__init__(begin)
        self.answer = answer
        self._decide = decide
        self._overdue = overdue


class ExternalStep(Answerable[M], TakenElsewhere):
    """A step of an external service: a process of yours, in any language, takes it from the queue.

    It receives the token, does its work, answers with the token's version, and deletes the message
    after that: see docs/messages.md. `seconds` is how long that may take in all, with every wait
    and every new try; then `overdue` decides.
    """

    def __init__(
        self,
        decide: Callable[[Tx, Order, M, Now], Outcome],
        *,
        answer: type[M],
        seconds: float,
        overdue: Callable[[Tx, Order, Now], Outcome] | None = None,
    ) -> None:
        self.answer = answer
        self.seconds = seconds
        self._decide = decide
        self._overdue = overdue

    def answered(self, tx: Tx, order: Order, answer: Answer, now: Now) -> Outcome:
        """Take the answer. A no to a compensation is for an operator."""
        outcome = super().answered(tx, order, answer, now)
        if order.backwards and isinstance(outcome, Refused):
            return Park(f"it cannot be undone: {outcome.reason}", outcome.detail)
        return outcome
