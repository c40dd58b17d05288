"""A call to a provider is made: what became of an earlier one, the deadline, and what it gave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from conveyor.core.ambient import Ambient
from conveyor.core.errors import KeySpentError, NotAppliedError
from conveyor.core.measures import Measures
from conveyor.core.provider_call import ProviderCall
from conveyor.core.traces import ERROR_TYPE, ORDER, OUTCOME, PROVIDER, STEP, TRY, Traces
from conveyor.core.tracing import Attribute, SpanContext, SpanKind

Send = Callable[[Any, str], Awaitable[object]]

NOT_SENT = "not_sent"


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


async def perform(call: ProviderCall, ambient: Ambient, measures: Measures) -> object:
    """Ask what became of an earlier call, then call, when a slot is free.

    Gives the provider's answer, `Failed`, `NothingFound`, `NotCalled` or `HeldBack`: each failure
    becomes a value. `measures` are told how long what was sent took, not the wait for a slot.
    """
    slots, breaker = call.provider.slots, call.provider.breaker
    time = asyncio.get_running_loop().time
    await slots.take()
    try:
        if not breaker.admits(call.order.id, time()):
            return HeldBack()
        begun, step, span = time(), call.in_hand.span, None
        if step is None or measures.traces is None:
            result = await _perform(call, ambient)
        else:
            span = measures.traces.tracer.new_context(step)
            result = await _traced(call, ambient, measures.traces, step, span)
        if not isinstance(result, NotCalled):
            labels = (call.provider.name, call.step_name, _came_to(call, result))
            measures.observe(measures.call_seconds[labels], time() - begun, span)
        if isinstance(result, Failed) and not result.spent:  # to say that is an answer
            breaker.failed(call.order.id, result.error, time())
        elif not isinstance(result, NotCalled):
            breaker.answered(time())
        return result
    finally:
        breaker.ended(call.order.id)
        slots.give_back()


async def _traced(
    call: ProviderCall, ambient: Ambient, traces: Traces, step: SpanContext, span: SpanContext
) -> object:
    """Do it within a span of its own, under which is what libraries note of their requests."""
    since = traces.now_ms()
    with traces.tracer.within(span):
        result = await _perform(call, ambient)
    about: dict[str, Attribute] = {
        ORDER: call.order.id,
        STEP: call.step_name,
        PROVIDER: call.provider.name,
        TRY: call.attempt,
        OUTCOME: NOT_SENT if isinstance(result, NotCalled) else _came_to(call, result),
    }
    error = None
    if isinstance(result, Failed):  # what it says may be anything: its kind is told
        about[ERROR_TYPE], error = type(result.error).__name__, ""
    name = f"call {call.step_name}"
    traces.tell(name, SpanKind.CLIENT, span, step, since, attributes=about, error=error)
    return result


def _came_to(call: ProviderCall, result: object) -> str:
    """Give a word for what a call gave."""
    match result:
        case Failed(certain=certain):
            return "failed" if certain else "unknown"
        case NothingFound():
            return "not_found"
    return "answered" if call.step.took_effect(result) else "declined"


async def _perform(call: ProviderCall, ambient: Ambient) -> object:
    found = await _outcome(call.step.ask, call) if call.known else None
    if isinstance(found, Failed):
        # That asking failed says nothing of the call; that the key is spent says it all.
        return replace(found, certain=found.spent, sent=False)
    if found is not None:
        return found
    if call.ask_only:
        return NothingFound()
    if call.grant.is_over(ambient):
        return NotCalled()
    return await _outcome(call.step.call, call)


async def _outcome(send: Send, call: ProviderCall) -> object:
    try:
        return await call.provider.deadlines.keep(send(call.payload, call.key))
    except NotAppliedError as error:
        return Failed(error, certain=True, spent=isinstance(error, KeySpentError))
    except Exception as error:  # noqa: BLE001 - whatever it is, the provider may have acted
        return Failed(error)
