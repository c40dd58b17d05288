"""What a service offers to the core: local steps, and steps that call a provider."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, get_args, get_origin

import orjson
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from conveyor.core.ambient import CLOCK_SLACK_MS
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.outcome import Outcome, Park, TurnedAway
from conveyor.core.transaction import Tx
from conveyor.core.untyped import Foreign

Q = TypeVar("Q")
A = TypeVar("A")
Answer = Mapping[str, Any]
Gather = Callable[[Tx, Sequence[Order]], None]


@dataclass(frozen=True, slots=True)
class Now:
    """What a step may know of its surroundings: the time at which its group runs.

    A moment that is stored may be the work of a clock that was wrong. Two ways to look at one: when
    something is to end that was set to last so long, and whether something can have been noted.
    """

    ms: int

    def at_most(self, at_ms: int, seconds: float) -> int:
        """Give the moment, or the last that could have been set by now to come in `seconds`."""
        return min(at_ms, self.ms + round(seconds * 1000))

    def has_come(self, at_ms: int) -> bool:
        """Whether a right clock can have noted that something happened then."""
        return at_ms <= self.ms + CLOCK_SLACK_MS


class StepHandler:
    """What both kinds of steps share: how an awaited answer, or its absence, moves the order on."""

    def gather(self, tx: Tx, orders: Sequence[Order]) -> None:
        """Take row locks in one fixed order, and read what each would read: see `Gathered`.

        Called once for a group, before its members; a member finds what it needs gathered, or
        reads it for itself.
        """

    @property
    def gathering(self) -> Gather:
        """What `gather` is known by: steps with the same one are gathered together."""
        return self.gather

    def group(self, order: Order) -> str:
        """Give the message group on a FIFO queue: what must be handled strictly in order."""
        return order.id

    def awaits(self, order: Order) -> bool:
        """Whether an order that is owed this step takes an answer to it."""
        return order.status == OrderStatus.AWAITING

    def answered(self, tx: Tx, order: Order, answer: Answer, now: Now) -> Outcome | TurnedAway:
        """Take the answer the order awaits. Called only while the order awaits at this step."""
        raise NotImplementedError(f"{type(self).__name__} awaits no answer")

    def overdue(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """Decide when nobody answered in time."""
        return Park("no answer before the deadline")

    def has_begun(self, tx: Tx, order: Order) -> bool:
        """Whether this step is past cancelling, where its flow can be cancelled until it begins.

        A call that may have been applied is known to the core and need not be looked for.
        """
        return order.status == OrderStatus.AWAITING

    def has_happened(self, tx: Tx, order: Order) -> bool:
        """Whether what this step is for has happened, though its order is parked at it."""
        return False

    def turned_back(self, tx: Tx, order: Order, now: Now) -> None:
        """Take note that the order turns back from here, refused or cancelled, in this transaction.

        For what cannot wait: the `undo` of a step that has begun runs with the compensations.
        """


class LocalStep(StepHandler):
    """A step whose effect is all in our database."""

    def __init__(
        self,
        run: Callable[[Tx, Order, Now], Outcome],
        *,
        gather: Gather | None = None,
    ) -> None:
        """For `gather` see the method, which it stands in for."""
        self.run = run
        self._gather = gather

    def gather(self, tx: Tx, orders: Sequence[Order]) -> None:
        """Do what the step was given for it."""
        if self._gather:
            self._gather(tx, orders)

    @property
    def gathering(self) -> Gather:
        """Name what it gathers by: steps that share one lock and read the same rows, once."""
        return self._gather or super().gathering


class CallStep(StepHandler, ABC, Generic[Q, A]):
    """A step that calls a provider, between two transactions: intent before, result after.

    The idempotency key is order, step and attempt. What the provider says decides whether the
    next try has the same key: after `NotAppliedError` it has, after `KeySpentError` it has
    another, and after anything else the outcome is unknown: the same attempt is resolved with
    `ask` before anything else is done, and called with the request that was sent, whatever would
    be asked for now. A request is kept as JSON: a dataclass or a pydantic model, or whatever
    `write_request` and `read_request` can do.
    """

    @abstractmethod
    def prepare(self, tx: Tx, order: Order, now: Now) -> Q | Outcome:
        """Give the request, or an outcome when no call is needed. May run more than once."""

    @abstractmethod
    async def call(self, request: Q, key: str) -> A:
        """Call the provider. Raises `NotAppliedError` when it is certain that nothing happened.

        It is cut off (`CancelledError`) when its time is up, and must send nothing after that.
        """

    @abstractmethod
    async def ask(self, request: Q, key: str) -> A | None:
        """Give the provider's answer to an earlier call with this key; None: it never arrived."""

    @abstractmethod
    def record(self, tx: Tx, order: Order, answer: A, now: Now) -> Outcome:
        """Write the answer's effect."""

    def took_effect(self, answer: A) -> bool:
        """Whether the provider did something.

        A no is believed only once nobody else can be calling with its key any more.
        """
        return True

    def write_request(self, request: Q) -> str:
        """Give the request as JSON. Raises `TypeError` for one that JSON cannot say."""
        return orjson.dumps(request, default=to_jsonable_python).decode()

    def read_request(self, written: str) -> Q:
        """Give the request that `write_request` wrote. Raises pydantic's `ValidationError`."""
        request: Q = _request_type(type(self)).validate_json(written)
        return request


@cache
def _request_type(step: type[StepHandler]) -> TypeAdapter[Any]:
    found = _given_for_request(step)
    return TypeAdapter(Any if isinstance(found, TypeVar) else found)


def _given_for_request(step: type[Any]) -> Foreign:
    """Find what a class, or the one that it is made of, gives for `Q`."""
    for base in step.__dict__.get("__orig_bases__", step.__bases__):
        of = get_origin(base) or base
        if of is CallStep:
            return get_args(base)[0] if get_args(base) else Any
        if issubclass(of, CallStep):
            found = _given_for_request(of)
            given = dict(zip(getattr(of, "__parameters__", ()), get_args(base), strict=False))
            return given.get(found, found) if isinstance(found, TypeVar) else found
    return Any
