"""What a package of yours gives to Conveyor: flows, services with their steps, and typed orders.

Everything needed to write one can be imported from here. A package announces its `Extension` with
an entry point in the group `conveyor.extensions`, or a deployment names it in the setting
`CONVEYOR_EXTENSIONS` as `package.module:NAME`; see docs/your-own-flow.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import orjson
import sqlalchemy as sa
from pydantic import BaseModel

from conveyor.checks import Check, Examination, Finding, Look, look
from conveyor.messaging.ambient import Ambient
from conveyor.messaging.answers import Answers
from conveyor.messaging.elsewhere import TakenElsewhere
from conveyor.messaging.engine import Engine
from conveyor.messaging.errors import ConveyorError, KeySpentError, NotAppliedError, UnansweredError
from conveyor.messaging.order import Order
from conveyor.messaging.outcome import Again, Awaiting, Done, Outcome, Park, Refused, TurnedAway
from conveyor.messaging.routing_slip import Fee, Flow, Step
from conveyor.messaging.step import Answer, AnyStep, CallStep, LocalStep, Now
from conveyor.messaging.supervision import Loop
from conveyor.messaging.transaction import Tx
from conveyor.services.orders.model import Line, OrderBody, Payment, Word
from conveyor.services.orders.placement import Placement
from conveyor.services.orders.store import find as find_order
from conveyor.services.payments.ports import (
    Approved,
    Declined,
    Moved,
    Payer,
    PaymentAnswer,
    PaymentProvider,
    PaymentRequest,
)
from conveyor.services.shipping.ports import Carrier
from conveyor.settings import Settings

__all__ = [
    "Again",
    "Ambient",
    "Answer",
    "AnyStep",
    "Approved",
    "Awaiting",
    "AwaitingStep",
    "CallStep",
    "Carrier",
    "CarrierBinding",
    "Check",
    "ConveyorError",
    "Declined",
    "Demo",
    "Done",
    "Examination",
    "Extension",
    "ExternalStep",
    "Fact",
    "Fee",
    "Finding",
    "Flow",
    "Given",
    "KeySpentError",
    "Line",
    "LocalStep",
    "Look",
    "Loop",
    "Moved",
    "NotAppliedError",
    "Now",
    "Order",
    "OrderBody",
    "Outcome",
    "Park",
    "Payer",
    "Payment",
    "PaymentAnswer",
    "PaymentBinding",
    "PaymentProvider",
    "PaymentRequest",
    "Refused",
    "Routes",
    "Running",
    "Service",
    "Settings",
    "Step",
    "Story",
    "TurnedAway",
    "Tx",
    "UnansweredError",
    "Word",
    "body_of",
    "find_order",
    "look",
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
class Given:
    """What the steps of a process are made with.

    `payers` says, by the name of the flow, who pays the orders that `payments.charge` charges.
    """

    settings: Settings
    ambient: Ambient
    provider: PaymentProvider
    carrier: Carrier
    payers: Mapping[str, Payer]


class Nobody:
    """Stands for a provider and a carrier where steps are made to be described, and not taken."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - it may be asked for anything
        """Give what cannot be called."""
        return self


@dataclass(frozen=True, slots=True)
class Running:
    """A system whose steps are made: what its loops work with."""

    settings: Settings
    engine: Engine
    answers: Answers
    placement: Placement


PaymentBinding = Callable[[Settings, Ambient], AbstractAsyncContextManager[PaymentProvider]]
"""Opens a payment provider for as long as a process lives, with the client that it needs."""
CarrierBinding = Callable[[Settings, Ambient], AbstractAsyncContextManager[Carrier]]
"""Opens a carrier likewise."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its queue has its name, and its steps are named `name.step`.

    `steps` is the table of its steps, or a function that gives it, called once a process. With
    `fifo`, the steps' `group` is handled strictly in the order in which it came. With `external`, a
    process of yours serves its queue, not Conveyor: all its steps are `ExternalStep`.
    """

    name: str
    steps: Mapping[str, AnyStep] | Callable[[Given], Mapping[str, AnyStep]]
    fifo: bool = False
    external: bool = False


def no_loops(_running: Running, _services: Collection[str]) -> Iterable[tuple[str, Loop]]:
    """Run nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class Routes:
    """Operations of the HTTP API that go together.

    `router` is a FastAPI `APIRouter`: see `conveyor.entrypoints.http` for what its functions may
    ask for. `tags` describes those that it uses; `models` are those that only bodies parsed by us
    refer to, for the OpenAPI document.
    """

    router: Any
    tags: Mapping[str, str] = field(default_factory=dict)
    models: tuple[type[BaseModel], ...] = ()


Story = tuple[str, sa.ColumnElement[bool], str]
"""Of which flow (by its name) an order, found by which condition, has something to tell, and what.
"""


class Demo:
    """What a flow shows of itself in `conveyor demo`; under its `settings` nobody waits long."""

    settings: ClassVar[Mapping[str, Any]] = {}
    stories: ClassVar[Sequence[Story]] = ()

    def orders(self) -> Iterable[dict[str, Any]]:
        """Give the orders, the same each time."""
        return ()

    async def set_up(self, app: Any, merchant: str) -> None:  # noqa: ANN401 - the whole system
        """Make what can be ordered; harmless where it is there."""

    async def conclude(self, app: Any, merchant: str) -> None:  # noqa: ANN401 - as above
        """Wait for what goes on after the last order."""


def nothing() -> Iterable[Any]:
    """Bring nothing."""
    return ()


def no_demo() -> Demo | None:
    """Show nothing."""
    return None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a flow knows of an order: a sentence, and the same as JSON values."""

    name: str
    says: str
    data: Mapping[str, Any] = field(default_factory=dict)


def no_facts(_tx: Tx, _order: Order) -> Iterable[Fact]:
    """Know nothing more."""
    return ()


def no_looks(_examination: Examination) -> Iterable[Look]:
    """Look at no order."""
    return ()


def _nothing_passing(_tx: Tx, _order: Order) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Extension:
    """A package's flows, services, and whatever else goes with them.

    - `bodies`: the typed body of a flow's orders, by the flow's name; else it is `OrderBody`.
    - `tables` are created by `conveyor migrate` (and `up`) where they are missing. To change them
      later, give `migrations`: a directory of your package, as in `"package:migrations"`, with
      Alembic revisions in files named `0001_what_it_does.py`; then they make the tables too.
    - `payers`: who pays the orders that `payments.charge` charges, by the flow's name, where a
      decline is not to be a refusal.
    - `loops` gives what a process with these services runs beside its consumers, each with a name:
      it ends when the event that it is given is set, and is started again when it ends before.
    - `belongings` are its tables with an `order_id`: the audit sees that there is such an order,
      and where they have a `merchant`, that it is the order's.
    - `checks` gives what holds its tables against what must be true of them, in the audit; `looks`
      what goes through the orders page by page, made anew for each audit: see `conveyor.checks`.
    - `routes` gives operations of the HTTP API, `commands` click commands of `conveyor`, and `demo`
      what is shown of it in `conveyor demo`. They are called where they are needed, so that what
      they import costs nobody else.
    - `scopes` are those of its own that API keys may have, with what each opens; a route asks for
      one with `conveyor.entrypoints.http.key_with`.
    - `facts` gives what `explain` tells of an order beside what is known of every order.
    - `payment_providers` and `carriers` are those that `CONVEYOR_PAYMENT_PROVIDER` and
      `CONVEYOR_CARRIER` may name: see docs/your-provider.md.
    - `glimpse` gives what a follower of one of its orders sees that passes, such as a position.
    """

    name: str
    flows: tuple[Flow, ...] = ()
    services: tuple[Service, ...] = ()
    bodies: Mapping[str, type[OrderBody]] = field(default_factory=dict)
    tables: sa.MetaData | None = None
    migrations: str = ""
    payers: Mapping[str, Payer] = field(default_factory=dict)
    loops: Callable[[Running, Collection[str]], Iterable[tuple[str, Loop]]] = no_loops
    glimpse: Callable[[Tx, Order], Mapping[str, Any]] = _nothing_passing
    belongings: tuple[sa.Table, ...] = ()
    checks: Callable[[], Iterable[Check]] = nothing
    looks: Callable[[Examination], Iterable[Look]] = no_looks
    routes: Callable[[], Iterable[Routes]] = nothing
    commands: Callable[[], Iterable[Any]] = nothing
    demo: Callable[[], Demo | None] = no_demo
    scopes: Mapping[str, str] = field(default_factory=dict)
    facts: Callable[[Tx, Order], Iterable[Fact]] = no_facts
    payment_providers: Mapping[str, PaymentBinding] = field(default_factory=dict)
    carriers: Mapping[str, CarrierBinding] = field(default_factory=dict)
