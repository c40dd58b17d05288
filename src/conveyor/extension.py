"""What a package of yours gives to Conveyor: flows, services with their steps, and typed orders.

Everything needed to write one can be imported from here. A package announces its `Extension` with
an entry point in the group `conveyor.extensions`, or a deployment names it in the setting
`CONVEYOR_EXTENSIONS` as `package.module:NAME`; see docs/your-own-flow.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import orjson
import sqlalchemy as sa
from pydantic import BaseModel

from conveyor.messaging.ambient import Ambient
from conveyor.messaging.elsewhere import TakenElsewhere
from conveyor.messaging.errors import ConveyorError, KeySpentError, NotAppliedError, UnansweredError
from conveyor.messaging.order import Order
from conveyor.messaging.outcome import Again, Awaiting, Done, Outcome, Park, Refused, TurnedAway
from conveyor.messaging.routing_slip import Fee, Flow, Step
from conveyor.messaging.step import Answer, AnyStep, CallStep, LocalStep, Now
from conveyor.messaging.transaction import Tx
from conveyor.services.orders.model import Line, OrderBody, Payment, Word
from conveyor.services.orders.store import find as find_order

__all__ = [
    "Again",
    "Ambient",
    "Answer",
    "AnyStep",
    "Awaiting",
    "AwaitingStep",
    "CallStep",
    "ConveyorError",
    "Done",
    "Extension",
    "ExternalStep",
    "Fee",
    "Flow",
    "KeySpentError",
    "Line",
    "LocalStep",
    "NotAppliedError",
    "Now",
    "Order",
    "OrderBody",
    "Outcome",
    "Park",
    "Payment",
    "Refused",
    "Service",
    "Step",
    "TurnedAway",
    "Tx",
    "UnansweredError",
    "Word",
    "body_of",
    "find_order",
]

M = TypeVar("M", bound=BaseModel)
B = TypeVar("B", bound=OrderBody)


def body_of(order: Order, model: type[B]) -> B:
    """Give what was placed, as its flow's typed body. Raises pydantic's `ValidationError`.

    A field that is added to the model later needs a default: older orders do not have it.
    """
    return model.model_validate_json(order.raw_body)


class Answerable(AnyStep, Generic[M]):
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


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its queue has its name, and its steps are named `name.step`.

    `steps` is the table of its steps, or a function that gives it: called once a process, with the
    clock and random numbers to use. With `fifo`, the steps' `group` is handled strictly in the
    order in which it came. With `external`, a process of yours serves its queue, not Conveyor: all
    its steps are `ExternalStep`.
    """

    name: str
    steps: Mapping[str, AnyStep] | Callable[[Ambient], Mapping[str, AnyStep]]
    fifo: bool = False
    external: bool = False


@dataclass(frozen=True, slots=True)
class Extension:
    """A package's flows and services.

    `bodies` gives the typed body of a flow's orders, by the flow's name; `OrderBody` where there is
    none. `tables` are created by `conveyor migrate` (and `up`) where they are missing; to change
    them later is the package's own affair.
    """

    name: str
    flows: tuple[Flow, ...] = ()
    services: tuple[Service, ...] = ()
    bodies: Mapping[str, type[OrderBody]] = field(default_factory=dict)
    tables: sa.MetaData | None = None
