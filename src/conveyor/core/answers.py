"""Answers from outside: a webhook moves the order that awaits it on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from conveyor.core import attempts
from conveyor.core.applying_outcomes import apply_outcome
from conveyor.core.attempts import Attempts
from conveyor.core.batching import Batcher, each_its_own
from conveyor.core.delivery import Delivery
from conveyor.core.engine import Engine
from conveyor.core.errors import UNABLE
from conveyor.core.gathering import gather
from conveyor.core.group_context import GroupContext
from conveyor.core.order import Order, load
from conveyor.core.outcome import TurnedAway
from conveyor.core.place import due_step
from conveyor.core.routing_slip import service_of
from conveyor.core.step import Answer
from conveyor.core.tracing import CURRENT, SpanContext
from conveyor.core.transaction import Tx

TAKEN = "taken"
NOT_AWAITED = "not_awaited"
UNKNOWN_ORDER = "unknown_order"
NOT_CALLED = "not_called"


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """An answer to an order's step; `note` keeps one that comes before the order awaits it.

    `version` is that of the order which it answers; None: whichever it has. `by` is the provider
    that gives it, by the name that binds it; '': it is none that the step calls. `told` writes who
    it was that answered, once the answer is taken. `asked` is the span in which it is given.
    """

    order_id: str
    step: str
    answer: Answer
    note: Callable[[Tx], None] | None = None
    version: int | None = None
    by: str = ""
    told: Callable[[Tx, Order], None] | None = None
    asked: SpanContext | None = field(default_factory=CURRENT.get)


class Answers:
    """Takes answers, group by group; a duplicate or a late one changes nothing."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is started; `take` may be called by any number of requests at once."""
        self._engine = engine
        self._batcher: Batcher[StepAnswer, str] = Batcher(self._handle, engine.limits.group_size)

    async def take(self, given: StepAnswer) -> str:
        """Give `TAKEN`, `NOT_AWAITED`, `NOT_CALLED` or `UNKNOWN_ORDER`, once that is committed.

        Or the word with which the step turned the answer away.
        """
        return await self._batcher.submit(given)

    async def _handle(self, group: list[StepAnswer]) -> Sequence[str | BaseException]:
        return await each_its_own(self._take, group, UNABLE)

    async def _take(self, group: Sequence[StepAnswer]) -> Sequence[str]:
        context = self._engine.group_context(isolate=False)
        return await self._engine.relay.commit(lambda tx: take_answers(tx, context, group))


def take_answers(tx: Tx, context: GroupContext, group: Sequence[StepAnswer]) -> list[str]:
    """Apply answers to the orders that await them; gives what became of each."""
    loaded = load(tx, [given.order_id for given in group])
    gather(tx, context, [(o, due_step(context.registry.flows, o)) for o in loaded.values()])
    by_providers = [given.order_id for given in group if given.by]
    calls = attempts.latest(tx, by_providers) if by_providers else Attempts()
    results: list[str] = []
    moved: set[str] = set()
    for given in group:
        order = loaded.get(given.order_id)
        if order is None:
            results.append(UNKNOWN_ORDER)
            continue
        if given.by and given.by != _called(context, order, given.step, calls):
            results.append(NOT_CALLED)
            continue
        result = _apply(tx, context, order, given, awaited=order.id not in moved)
        if result == TAKEN:
            moved.add(order.id)
        results.append(result)
    return results


def _called(context: GroupContext, order: Order, step: str, calls: Attempts) -> str:
    """Give who it is that the order calls by this step, by the name that binds it."""
    theirs = context.providers.called_by(service_of(step))
    return theirs.bound.name_for(order.merchant, calls.called(order.id, theirs.services))


def _apply(tx: Tx, context: GroupContext, order: Order, given: StepAnswer, *, awaited: bool) -> str:
    due = due_step(context.registry.flows, order)
    if not awaited or not _is_awaited(context, order, due, given):
        if given.note:
            given.note(tx)
        return NOT_AWAITED
    outcome = context.registry.step(due).answered(tx, order, given.answer, context.now)
    if isinstance(outcome, TurnedAway):
        return outcome.why
    if given.told:
        given.told(tx, order)
    apply_outcome(Delivery(tx, context, order, due, asked=given.asked), outcome)
    return TAKEN


def _is_awaited(context: GroupContext, order: Order, due: str, given: StepAnswer) -> bool:
    if due != given.step or given.version not in {None, order.version}:
        return False
    return context.registry.step(due).awaits(order)
