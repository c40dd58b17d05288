"""A call to a provider while it is under way: its grant, its deadline, and what it gave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from conveyor.core.ambient import Ambient
from conveyor.core.errors import KeySpentError, NotAppliedError
from conveyor.core.measures import Measures
from conveyor.core.order import Order
from conveyor.core.providers import CALL_SECONDS, Provider
from conveyor.core.step import CallStep
from conveyor.core.traces import ERROR_TYPE, ORDER, OUTCOME, PROVIDER, STEP, TRY, Traces
from conveyor.core.tracing import Attribute, SpanContext, SpanKind

Send = Callable[[Any, str], Awaitable[object]]

NOT_SENT = "not_sent"
SETTLE_SECONDS = 30.0
"""How long a request that was cut off here may still be on its way to taking effect there."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to call, from the moment at which the call's transaction began.

    The request must be sent within `call_seconds` of it, and may then take as long again. `begun`
    is by the loop's steady clock, `begun_ms` by this process's wall clock: a machine that sleeps
    may stop the one, and somebody may set the other.
    """

    call_seconds: float = CALL_SECONDS
    begun: float = 0.0
    begun_ms: int = 0

    @property
    def may_run_ms(self) -> int:
        """For how long after its beginning the call may still take effect, in milliseconds."""
        return round((2 * self.call_seconds + SETTLE_SECONDS) * 1000)

    def is_over(self, ambient: Ambient) -> bool:
        """Whether it is too late to send the request; then somebody else may have decided."""
        steady = asyncio.get_running_loop().time() - self.begun
        by_the_wall = (ambient.now_ms() - self.begun_ms) / 1000
        return max(steady, by_the_wall) > self.call_seconds


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call of an order's step; once its intent is committed it may be made.

    It is the first attempt unless `calls` finds that there were others.
    `known`: the provider may have the request already, ask first. `ask_only`: nothing may be
    asked for any more, only found. `taken` counts who has taken the attempt up, this one being
    the last. `alone`: whoever took it up before can do nothing with it any more; `others_until`
    says when that is so (milliseconds since the epoch).
    """

    counted_as: ClassVar = "calling"
    order: Order
    step_name: str
    step: CallStep[Any, Any]
    payload: object
    provider: Provider
    grant: Grant
    attempt: int = 1
    taken: int = 1
    known: bool = False
    ask_only: bool = False
    alone: bool = True
    others_until: int = 0

    @property
    def key(self) -> str:
        """The idempotency key: order, step, attempt."""
        return f"{self.order.id}/{self.step_name}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no answer. `certain`: this request did nothing; `spent`: nor will this key ever.

    `sent`: it may have been sent; where asking failed, it was not.
    """

    error: Exception
    certain: bool = False
    spent: bool = False
    sent: bool = True


@dataclass(frozen=True, slots=True)
class NothingFound:
    """The provider was only asked, and has no trace of it."""


@dataclass(frozen=True, slots=True)
class NotCalled:
    """It was too late to call when its turn came: nothing was sent."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Its provider was paused when its turn came: nothing was sent, nor asked."""


async def perform(
    calling: PendingCall, ambient: Ambient, measures: Measures, step: SpanContext | None = None
) -> object:
    """Ask what became of an earlier call, then call, when a slot is free.

    Gives the provider's answer, `Failed`, `NothingFound`, `NotCalled` or `HeldBack`: each failure
    becomes a value. `measures` are told how long what was sent took, not the wait for a slot;
    `step` is the span that it is under, where there is one.
    """
    slots, breaker = calling.provider.slots, calling.provider.breaker
    time = asyncio.get_running_loop().time
    await slots.take()
    try:
        if not breaker.admits(calling.order.id, time()):
            return HeldBack()
        begun, span = time(), None
        if step is None or measures.traces is None:
            result = await _perform(calling, ambient)
        else:
            span = measures.traces.tracer.new_context(step)
            result = await _traced(calling, ambient, measures.traces, step, span)
        if not isinstance(result, NotCalled):
            labels = (calling.provider.name, calling.step_name, _came_to(calling, result))
            measures.observe(measures.call_seconds[labels], time() - begun, span)
        if isinstance(result, Failed) and not result.spent:  # to say that is an answer
            breaker.failed(calling.order.id, result.error, time())
        elif not isinstance(result, NotCalled):
            breaker.answered(time())
        return result
    finally:
        breaker.ended(calling.order.id)
        slots.give_back()


async def _traced(
    calling: PendingCall, ambient: Ambient, traces: Traces, step: SpanContext, span: SpanContext
) -> object:
    """Do it within a span of its own, under which is what libraries note of their requests."""
    since = traces.now_ms()
    with traces.tracer.within(span):
        result = await _perform(calling, ambient)
    about: dict[str, Attribute] = {
        ORDER: calling.order.id,
        STEP: calling.step_name,
        PROVIDER: calling.provider.name,
        TRY: calling.attempt,
        OUTCOME: NOT_SENT if isinstance(result, NotCalled) else _came_to(calling, result),
    }
    error = None
    if isinstance(result, Failed):  # what it says may be anything: its kind is told
        about[ERROR_TYPE], error = type(result.error).__name__, ""
    name = f"call {calling.step_name}"
    traces.tell(name, SpanKind.CLIENT, span, step, since, attributes=about, error=error)
    return result


def _came_to(calling: PendingCall, result: object) -> str:
    """Give a word for what a call gave."""
    match result:
        case Failed(certain=certain):
            return "failed" if certain else "unknown"
        case NothingFound():
            return "not_found"
    return "answered" if calling.step.took_effect(result) else "declined"


async def _perform(calling: PendingCall, ambient: Ambient) -> object:
    found = await _outcome(calling.step.ask, calling) if calling.known else None
    if isinstance(found, Failed):
        # That asking failed says nothing of the call; that the key is spent says it all.
        return replace(found, certain=found.spent, sent=False)
    if found is not None:
        return found
    if calling.ask_only:
        return NothingFound()
    if calling.grant.is_over(ambient):
        return NotCalled()
    return await _outcome(calling.step.call, calling)


async def _outcome(send: Send, calling: PendingCall) -> object:
    try:
        return await calling.provider.deadlines.keep(send(calling.payload, calling.key))
    except NotAppliedError as error:
        return Failed(error, certain=True, spent=isinstance(error, KeySpentError))
    except Exception as error:  # noqa: BLE001 - whatever it is, the provider may have acted
        return Failed(error)
